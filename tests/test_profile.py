import numpy as np
import pytest

from tinycnn import nn
from tinycnn.profile import main, profile


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


def test_the_program_prints_the_table(capsys):
    main(["--batch", "2", "--repeats", "2", "--pool", "max"])
    lines = capsys.readouterr().out.splitlines()
    assert "forward us" in lines[0] and "MaxPool2d" in lines[3] and "GFLOP/s" in lines[-1]


def test_the_program_refuses_nothing_at_all(capsys):
    with pytest.raises(SystemExit):
        main(["--batch", "0"])
    assert "must be at least 1" in capsys.readouterr().err
