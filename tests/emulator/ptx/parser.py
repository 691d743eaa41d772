"""parser: PTX text as variables, functions and statements."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from ptx.types import BITS, PtxError

LINKAGE = r"(?:\.(?:visible|extern|weak|common)\s+)*"
NAME = r"[\w$%]+"


class Parameter(NamedTuple):
    name: str
    size: int
    align: int


class Variable(NamedTuple):
    space: str
    name: str
    size: int  # in bytes; 0: as large as the launch says
    align: int
    initial: bytes | None


class Registers(NamedTuple):
    type: str
    names: list[str]


class Label(NamedTuple):
    name: str


class Targets(NamedTuple):
    """What a brx.idx may jump to."""

    name: str
    labels: list[str]


class Scope(NamedTuple):
    opens: bool


@dataclass
class Instruction:
    guard: str  # "", "%p1" or "!%p1"
    name: str
    modifiers: list[str]
    operands: list[str]
    text: str
    types: list[str] = field(init=False)

    def __post_init__(self):
        self.types = [m for m in self.modifiers if m in BITS]
        if unknown := [m for m in self.modifiers if re.fullmatch(r"(bf|tf|[busfe])\d\w*", m) and m not in BITS]:
            raise PtxError(f"the type {unknown[0]} is not known: {self.text}")

    @property
    def type(self):
        return self.types[-1]

    def has(self, modifier):
        return modifier in self.modifiers

    def one_of(self, *choices):
        """The modifier that is one of these, or ""."""
        return next((m for m in self.modifiers if m in choices), "")


@dataclass
class Function:
    is_kernel: bool
    name: str
    returns: list[Parameter]
    params: list[Parameter]
    max_threads: int
    statements: list | None  # None: declared here, defined elsewhere


class Module(NamedTuple):
    variables: list[Variable]
    functions: list[Function]


def parse(text):
    """The variables and functions of a PTX module."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    text = re.sub(r"\.(version|target|address_size|file|loc)\b[^\n]*", " ", text)
    text = re.sub(r"\.section[^{]*\{[^}]*\}", " ", text)
    module = Module([], [])
    at = 0
    while match := re.compile(r"[\s;]*(\S)").match(text, at):
        at = _top_level(text, match.start(1), module)
    return module


def _top_level(text, at, module):
    if header := re.compile(rf"{LINKAGE}\.(entry|func)\b([^{{;]*)").match(text, at):
        end = header.end()
        if text[end] == "{":
            end = _closing_brace(text, end)
        body = text[header.end() + 1 : end] or None
        module.functions.append(_function(header[1] == "entry", header[2], body))
        return end + 1
    if re.compile(rf"{LINKAGE}\.(global|const|shared)\b").match(text, at):
        end = text.index(";", at)
        module.variables.append(_variable(text[at:end]))
        return end + 1
    raise PtxError(f"cannot read {text[at : at + 80]!r}")


def _closing_brace(text, at):
    depth = 0
    for brace in re.compile(r"[{}]").finditer(text, at):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    raise PtxError(f"a brace is not closed: {text[at : at + 80]!r}")


def _variable(text):
    pattern = rf"\s*{LINKAGE}\.(\w+)\s+(?:\.align\s+(\d+)\s+)?(?:\.v(\d)\s+)?\.(\w+)\s+({NAME})\s*((?:\[\s*\d*\s*\])*)"
    match = re.fullmatch(rf"{pattern}\s*(?:=\s*(.*?))?\s*", text, re.DOTALL)
    if not match or match[4] not in BITS:
        raise PtxError(f"a variable that is not known: {text.strip()!r}")
    space, align, vector, type_, name, dimensions, initial = match.groups()
    element = BITS[type_] // 8
    size = element * int(vector or 1)
    for length in re.findall(r"\[\s*(\d*)\s*\]", dimensions):
        size *= int(length or 0)
    return Variable(space, name, size, int(align or element), initial and _bytes(initial, element).ljust(size, b"\0"))


def _bytes(initial, element):
    """The bytes of an initialiser, such as {1, 2, 0f3F800000}."""
    numbers = re.findall(r"[^,{}\s]+", initial)
    if unknown := [n for n in numbers if not re.fullmatch(r"-?\d\w*", n)]:
        raise PtxError(f"an initialiser that is not known: {unknown[0]}")
    return b"".join((integer(n) % (1 << 8 * element)).to_bytes(element, "little") for n in numbers)


def integer(text):
    """The value, or of a float the bits, of a number: 12, 0x1F, 077, 0f3F800000, 0dBFF0000000000000."""
    if re.match(r"0[fFdD]", text):
        return int(text[2:], 16)
    text = text.rstrip("U")
    return int(text, 8) if re.fullmatch(r"-?0[0-7]+", text) else int(text, 0)


def _function(is_kernel, header, body):
    match = re.match(rf"\s*(?:\(([^)]*)\))?\s*({NAME})\s*(?:\(([^)]*)\))?(.*)", header, re.DOTALL)
    returns, name, params, attributes = match.groups()
    threads = 1
    if limit := re.search(r"\.maxntid\s+(\d+(?:\s*,\s*\d+)*)", attributes):
        for n in limit[1].split(","):
            threads *= int(n)
    return Function(
        is_kernel,
        name,
        _parameters(returns),
        _parameters(params),
        threads if limit else 0,
        None if body is None else list(_statements(body)),
    )


def _parameters(text):
    found = []
    for part in filter(str.strip, (text or "").split(",")):
        attributes = r"(?:\.ptr\s*(?:\.(?:global|shared|const|local)\s*)?(?:\.align\s+\d+\s*)?)?"
        pattern = rf"\s*\.(?:param|reg)\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+{attributes}({NAME})\s*(?:\[(\d+)\])?\s*"
        match = re.fullmatch(pattern, part)
        if not match:
            raise PtxError(f"a parameter that is not known: {part.strip()!r}")
        element = BITS[match[2]] // 8
        found.append(Parameter(match[3], element * int(match[4] or 1), int(match[1] or element)))
    return found


STATEMENT = re.compile(
    rf"\s*(?:(?P<brace>[{{}}])"
    rf"|(?P<label>{NAME})\s*:(?!:)\s*(?:\.branchtargets\s+(?P<targets>[^;]*);)?"
    rf"|(?P<line>[^;]*);)"
)


def _statements(body):
    """A function's statements in order; braces that open and close a scope are statements."""
    for match in STATEMENT.finditer(body):
        if match["brace"]:
            yield Scope(match["brace"] == "{")
        elif match["targets"]:
            yield Targets(match["label"], split(match["targets"]))
        elif match["label"]:
            yield Label(match["label"])
        elif line := " ".join(match["line"].split()):
            yield from _line(line)


def _line(line):
    if match := re.fullmatch(r"\.reg (?:\.v\d )?\.(\w+) (.*)", line):
        yield Registers(match[1], [name for part in match[2].split(",") for name in _register_names(part.strip())])
    elif line.startswith((".local", ".param", ".shared")):
        yield _variable(line)
    elif not line.startswith(".pragma"):
        yield instruction(line)


def _register_names(text):
    match = re.fullmatch(rf"({NAME})(?:<(\d+)>)?", text)
    return [f"{match[1]}{i}" for i in range(int(match[2]))] if match[2] else [match[1]]


def instruction(line):
    """One instruction: "@!%p1 add.s32 %r1, %r2, 3" taken apart."""
    match = re.fullmatch(rf"(?:@(!?{NAME}) )?([a-z][\w.:]*) ?(.*)", line)
    if not match:
        raise PtxError(f"cannot read {line!r}")
    name, *modifiers = match[2].split(".")
    modifiers = ["shared" if m in ("shared::cta", "shared::cluster") else m for m in modifiers]
    return Instruction(match[1] or "", name, [m for m in modifiers if "::" not in m], split(match[3]), line)


def split(text):
    """The parts between commas that no bracket encloses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "{[(") - (character in "}])")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
