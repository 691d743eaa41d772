"""report: what the grader found, as data and as text for people."""

from dataclasses import dataclass, field
from textwrap import fill
from typing import Any

from tinycnn.grading.language import translated


@dataclass
class Mark:
    """How one half of the work did: failures holds a line for each case that went wrong, causes the mistakes that
    explain them, notes what else there is to say, and results by case what is wrong with it, or nothing."""

    cases: int
    results: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failures

    def result(self, case: object, fault: str = "") -> None:
        """A case is done; `fault` says what is wrong with it."""
        self.results[str(case)] = fault
        if fault:
            self.failures.append(f"{case}: {fault}")

    def lines(self) -> list[str]:
        """In words, the most important first."""
        if self.passed:
            return [f"right on all {self.cases} shapes", *self.notes]
        lines = [f"wrong on {len(self.failures)} of {self.cases} shapes", *(f"-> {cause}" for cause in self.causes)]
        return [*lines, f"first: {self.failures[0]}", *self.notes]


@dataclass(repr=False)
class Report:
    """The grade of a convolution: `passed`, what was found in `forward` and `backward`, and `seconds` by name.

    Its repr is the text to read, in the language that was chosen, `score` a number for a notebook's grader, as_json() a
    file's content for others.
    backward is None where the function returned none; seconds are {} unless forward is right.
    """

    name: str
    forward: Mark
    backward: Mark | None
    seconds: dict[str, float]

    @property
    def passed(self) -> bool:
        """Whether everything that was handed in is right."""
        return self.forward.passed and (self.backward is None or self.backward.passed)

    @property
    def score(self) -> float:
        """The share of cases that are right, 0 to 1, over all that was handed in."""
        results = [fault for mark in (self.forward, self.backward) if mark for fault in mark.results.values()]
        return results.count("") / len(results)

    def as_json(self) -> dict[str, Any]:
        """The report in the results format of autograders: each case a test with name, score, max_score and output."""
        tests = [
            {"name": f"{part}: {case}", "score": float(not fault), "max_score": 1.0, "output": fault or "right"}
            for part, mark in (("forward", self.forward), ("backward", self.backward))
            if mark is not None
            for case, fault in mark.results.items()
        ]
        return {"tests": tests, "output": repr(self)}

    def __repr__(self) -> str:
        parts = {"forward": self.forward.lines()}
        if self.backward is not None:
            parts["backward"] = self.backward.lines()
        else:
            parts["backward"] = ["not handed in: return y and a function backward(dy) -> dx, dw, db"]
        if self.seconds:
            parts["speed"] = [self._speed()]
        text = [f"{self.name}: {translated('well done' if self.passed else 'not yet')}"]
        for part, lines in parts.items():
            for k, line in enumerate(lines):
                indent = f"  {'' if k else translated(part):10}"
                text.append(fill(translated(line), 100, initial_indent=indent, subsequent_indent=" " * 15))
        return "\n".join(text)

    def _speed(self) -> str:
        loops, yours, engine = (self.seconds[name] for name in ("loops", "yours", "engine"))
        return (
            f"loops {1e3 * loops:.3g} ms, yours {1e3 * yours:.3g} ms ({loops / yours:.3g} times the loops' speed), "
            f"the engine {1e3 * engine:.3g} ms"
        )
