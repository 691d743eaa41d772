import numpy as np
import pytest

from tinycnn import nn
from tinycnn.profile import main, profile, profile_stages


def test_a_row_per_layer_with_its_work(rng):
    model = nn.Sequential(nn.Conv2d(1, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 3, 5))
    found = profile(model, rng.random((2, 1, 5, 4), np.float32), np.array([0, 4]), repeats=3)
    assert [row.name.split("(")[0] for row in found.rows] == ["0 Conv2d", "1 ReLU", "2 Flatten", "3 Linear", "loss"]
    conv, relu, _, linear, loss = found.rows
    assert conv.forward_multiply_adds == 2 * (4 * 3) * 3 * (2 * 2)
    assert conv.backward_multiply_adds == conv.forward_multiply_adds  # its input wants no gradient
    assert linear.forward_multiply_adds == 2 * 36 * 5 and linear.backward_multiply_adds == 2 * 2 * 36 * 5
    assert relu.forward_multiply_adds == loss.forward_multiply_adds == 0
    assert all(row.forward > 0 for row in found.rows)
    assert all(row.backward > 0 for row in found.rows)
    assert found.total == sum(row.forward + row.backward for row in found.rows)


def test_bytes_count_shared_memory_once(rng):
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    found = profile(model, rng.random((4, 1, 2, 3), np.float32), np.zeros(4, int), repeats=1)
    assert found.rows[0].bytes == 4 * 6 * 4  # flatten's output is a view of its input


def test_a_row_per_stage_and_its_products(rng):
    layers = [nn.Conv2d(1, 3, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 2, stride=2), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(8, 5))
    found = profile_stages(model, rng.random((2, 1, 9, 8), np.float32), np.array([0, 4]), repeats=2)
    assert [row.name for row in found.rows] == ["0 Conv2d, relu, maximum", "1 Conv2d", "2 Linear", "loss"]
    first, second, linear, _ = found.rows
    assert first.forward_multiply_adds == first.backward_multiply_adds == 2 * (8 * 7) * 3 * (2 * 2)
    assert second.backward_multiply_adds == 2 * second.forward_multiply_adds == 2 * 2 * (2 * 1) * 4 * 3 * (2 * 2)
    assert linear.forward_multiply_adds == 2 * 8 * 5 and all(row.forward > 0 < row.backward for row in found.rows)
    names = ["0 Conv2d: forward", "0 Conv2d: weights", "1 Conv2d: forward", "1 Conv2d: weights", "1 Conv2d: image"]
    assert [row.name for row in found.products] == names and found.peak > 0
    assert found.products[0].multiply_adds == found.products[1].multiply_adds == first.forward_multiply_adds
    assert all(row.time > 0 for row in found.products)
    assert all(p.grad is None for p in model.parameters())


def test_the_program_prints_the_stages(capsys):
    main(["--batch", "2", "--repeats", "2", "--engine", "stages"])
    printed = capsys.readouterr().out
    assert "0 Conv2d, sigmoid, average" in printed and "1 Conv2d: image" in printed and "of peak" in printed


def test_the_program_prints_the_table(capsys):
    main(["--batch", "2", "--repeats", "2", "--pool", "max"])
    lines = capsys.readouterr().out.splitlines()
    assert "forward us" in lines[0] and "MaxPool2d" in lines[3] and "GFLOP/s" in lines[-1]


def test_the_program_refuses_nothing_at_all(capsys):
    with pytest.raises(SystemExit):
        main(["--batch", "0"])
    assert "must be at least 1" in capsys.readouterr().err
