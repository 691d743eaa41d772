"""The better LeNet: that it runs and says what it found."""

import json
import runpy
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "examples" / "better_lenet.py"


def test_it_trains_and_writes_its_result(tmp_path, capsys):
    program = runpy.run_path(str(PROGRAM))
    program["main"](["--dataset", "silhouettes", "--epochs", "2", "--limit", "256", "--out", str(tmp_path / "new")])
    result = json.loads((tmp_path / "new" / "result.json").read_text(encoding="utf-8"))
    assert result["dataset"] == "Silhouettes" and result["epochs"] == 2 and result["limit"] == 256
    assert result["test_acc_by_epoch"][-1] == result["test_acc"] and len(result["test_acc_by_epoch"]) == 2
    assert result["parameters"] == 832 + 51_264 + 1600 * 256 + 256 + 2570
    assert result["machine"]["numpy"] and result["date"]
    assert f"test accuracy {result['test_acc']:.4f} after 2 epochs" in capsys.readouterr().out
