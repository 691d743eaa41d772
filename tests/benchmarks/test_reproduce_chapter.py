import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tinycnn.cli.report import machine

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "reproduce_chapter.py"


@pytest.fixture
def script(monkeypatch):
    """The script, with results of runs that did not take place: (loss, train acc, test acc) a seed."""
    spec = importlib.util.spec_from_file_location("reproduce_chapter", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = []

    def example(command, check, stdout):
        assert check and command[1] == str(module.EXAMPLE) and module.EXAMPLE.exists()
        options = dict(zip(command[2::2], command[3::2], strict=True))
        loss, train_acc, test_acc = found[int(options["--seed"])]
        assert options["--dataset"] == "fashion"
        content = {
            **{"train_loss": loss, "train_acc": train_acc, "test_acc": test_acc, "examples_per_sec": 20_000.0},
            **{"device": options["--device"], "execution": "plain", "machine": machine()},
            "options": {"seed": int(options["--seed"]), "out": options["--out"]},
        }
        (Path(options["--out"]) / "result.json").write_text(json.dumps(content), encoding="utf-8")

    monkeypatch.setattr(module, "subprocess", SimpleNamespace(run=example, DEVNULL=None))
    module.found = found
    return module


GOOD = [(0.47, 0.82, 0.80), (0.46, 0.83, 0.82)]


def test_good_results_pass_and_are_written(script, tmp_path, capsys):
    script.found += GOOD
    assert script.main(["--seeds", "2", "--out", str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out
    assert "seed 0: loss 0.470, train acc 0.820, test acc 0.800, 20000.0 examples/sec on cpu" in out
    text = (tmp_path / "new" / "reproduce_chapter.md").read_text(encoding="utf-8")
    assert out.endswith(text + "\n")
    assert (
        "| tinycnn, 2 seeds: mean [least, greatest] | 0.465 [0.460, 0.470] | 0.825 [0.820, 0.830] | 0.810 [0.800"
        in text
    )
    assert (
        "| PyTorch, 198 builds: median [least, greatest] | 0.468 [0.449, 0.525] | 0.824 [0.799, 0.834] | 0.806" in text
    )
    assert text.count("- PASS  ") == 4 and "FAIL" not in text and machine()["processor"] in text
    content = json.loads((tmp_path / "new" / "reproduce_chapter.json").read_text(encoding="utf-8"))
    assert [result["train_loss"] for result in content["runs"]] == [0.47, 0.46] and len(content["checks"]) == 4


@pytest.mark.parametrize(
    ("results", "fault"),
    [
        ([*GOOD, *GOOD, (0.54, 0.82, 0.81)], "FAIL  every run: train loss at most 0.53 (worst: 0.540)"),
        ([*GOOD, (0.46, 0.78, 0.81)], r"FAIL  every run: train acc at least 0.79 (worst: 0.780)"),
        ([(0.45, 0.83, 0.82)], "FAIL  mean train loss in 0.455 to 0.487 (0.450)"),
        ([(0.50, 0.81, 0.82)], "FAIL  mean train loss in 0.455 to 0.487 (0.500)"),
        ([*GOOD, (0.46, 0.83, 0.70)], "FAIL  mean test acc at least 0.79 (0.773)"),
    ],
)
def test_results_outside_the_bands_fail(script, tmp_path, capsys, results, fault):
    script.found += results
    assert script.main(["--seeds", str(len(results)), "--out", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert fault in out and out.count("FAIL") == 1


def test_no_seeds(script, capsys):
    with pytest.raises(SystemExit):
        script.main(["--seeds", "0"])
    assert "--seeds: got 0, expected 1 or more" in capsys.readouterr().err
