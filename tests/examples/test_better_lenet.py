"""The better LeNet: that it runs and says what it found."""

import json
import runpy
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "examples" / "better_lenet.py"


def test_the_recipes_are_of_the_size_that_they_say(rng):
    recipes = runpy.run_path(str(PROGRAM))["RECIPES"]
    sizes = {name: sum(p.numel() for p in recipe.net().parameters()) for name, recipe in recipes.items()}
    assert sizes["small"] < 8000 and 270_000 <= sizes["residual"] < 275_000 and list(sizes)[0] == "better"


def test_a_recipe_with_everything_trains(tmp_path):
    program = runpy.run_path(str(PROGRAM))
    options = ["--recipe", "small", "--dataset", "silhouettes", "--epochs", "1", "--limit", "128"]
    program["main"]([*options, "--out", str(tmp_path)])
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert (result["recipe"], result["augment"]["shift"], result["optimizer"]["class"]) == ("small", 1, "AdamW")
    assert result["optimizer"]["schedule"] == "one cycle up to 0.01" and result["model"]["class"] == "VGG"
    assert "stages" in result["execution"]  # its batch normalisation too: no tape is needed


def test_it_trains_and_writes_its_result(tmp_path, capsys):
    program = runpy.run_path(str(PROGRAM))
    program["main"](["--dataset", "silhouettes", "--epochs", "2", "--limit", "256", "--out", str(tmp_path / "new")])
    result = json.loads((tmp_path / "new" / "result.json").read_text(encoding="utf-8"))
    assert result["dataset"] == "Silhouettes" and result["epochs"] == 2 and result["limit"] == 256
    assert result["test_acc_by_epoch"][-1] == result["test_acc"] and len(result["test_acc_by_epoch"]) == 2
    assert result["parameters"] == 832 + 51_264 + 1600 * 256 + 256 + 2570
    assert result["machine"]["numpy"] and result["date"]
    assert f"test accuracy {result['test_acc']:.4f} after 2 epochs" in capsys.readouterr().out


def test_it_trains_on_a_gpu(fake_cupy, tmp_path, capsys):
    program = runpy.run_path(str(PROGRAM))
    options = ["--dataset", "silhouettes", "--epochs", "1", "--limit", "8", "--out", str(tmp_path)]
    program["main"]([*options, "--device", "gpu"])
    assert "running on gpu" in capsys.readouterr().out
    execution = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["execution"]
    assert "not graph: layer" in execution and "(Dropout(p=0.4)) has no fused kernel" in execution


def test_several_seeds_go_on_where_they_were(tmp_path, capsys):
    program, table = runpy.run_path(str(PROGRAM)), tmp_path / "accuracy.json"
    options = ["--recipe", "small", "--dataset", "silhouettes", "--epochs", "1", "--limit", "64"]
    options += ["--out", str(tmp_path), "--table", str(table)]
    program["main"]([*options, "--seeds", "1"])
    first = table.read_text(encoding="utf-8")
    program["main"]([*options, "--seeds", "2"])
    kept = json.loads(table.read_text(encoding="utf-8"))
    assert [result["seed"] for result in kept] == [0, 1] and kept[:1] == json.loads(first)
    assert kept[0]["cpu_seconds"] > 0 and kept[0]["examples_per_sec"] > 0
    accuracies = [100 * result["test_acc"] for result in kept]
    assert f"mean {sum(accuracies) / 2:.2f} %" in capsys.readouterr().out
    program["RECIPES"]["small"].smoothing = 0.1  # another recipe: what was found before does not count
    program["main"]([*options, "--seeds", "1"])
    kept = json.loads(table.read_text(encoding="utf-8"))
    assert [(result["seed"], result["label_smoothing"]) for result in kept] == [(0, 0.0), (1, 0.0), (0, 0.1)]
