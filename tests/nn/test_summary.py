"""summary: the numbers of the chapter, by a real forward pass that leaves no trace."""

import numpy as np
import pytest

import tinycnn
from tinycnn import nn, summary
from tinycnn.models import LeNet

LENET = """\
layer        output shape     parameters  multiply-adds  receptive field  im2col bytes
--------------------------------------------------------------------------------------
0 Conv2d     (1, 6, 28, 28)          156        117,600            5 x 5        78,400
1 Sigmoid    (1, 6, 28, 28)                                        5 x 5
2 AvgPool2d  (1, 6, 14, 14)                                        6 x 6
3 Conv2d     (1, 16, 10, 10)       2,416        240,000          14 x 14        60,000
4 Sigmoid    (1, 16, 10, 10)                                     14 x 14
5 AvgPool2d  (1, 16, 5, 5)                                       16 x 16
6 Flatten    (1, 400)                                            16 x 16
7 Linear     (1, 120)             48,120         48,000          28 x 28
8 Sigmoid    (1, 120)                                            28 x 28
9 Linear     (1, 84)              10,164         10,080          28 x 28
10 Sigmoid   (1, 84)                                             28 x 28
11 Linear    (1, 10)                 850            840          28 x 28
--------------------------------------------------------------------------------------
total                             61,706        416,520"""


def test_lenet():
    found = summary(LeNet(), (1, 1, 28, 28))
    assert str(found) == repr(found) == LENET
    assert found.parameters == 61_706 and found.multiply_adds == 416_520
    assert sum(row.parameters for row in found.rows) == 61_706


def test_costs_are_per_image_and_independent_of_batch_and_dtype():
    one, five = summary(LeNet(), (1, 1, 28, 28)), summary(LeNet().double(), (5, 1, 28, 28))
    for a, b in zip(one.rows, five.rows, strict=True):
        assert b.output_shape == (5, *a.output_shape[1:])
        assert (a.multiply_adds, a.im2col_bytes) == (b.multiply_adds, b.im2col_bytes)
    assert five.multiply_adds == 416_520


def test_windows_of_every_kind():
    net = nn.Sequential(
        nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, bias=False),
        nn.MaxPool2d((2, 3), (1, 2), (1, 0), (2, 1), True),
        nn.Conv2d(6, 3, 2),
    )
    rows = summary(net, (2, 4, 11, 9)).rows
    assert [row.output_shape for row in rows] == [(2, 6, 6, 7), (2, 6, 6, 3), (2, 3, 5, 2)]
    # height: 3, then 3 + 2*1*2, then 7 + 1*2;  width: 1 + 2, then 3 + 2*1, then 5 + 1*2
    assert [row.receptive_field for row in rows] == [(3, 3), (7, 5), (9, 7)]
    assert [row.multiply_adds for row in rows] == [6 * 2 * 6 * 42, 0, 3 * 6 * 4 * 10]
    assert [row.im2col_bytes for row in rows] == [4 * 6 * 42 * 4, 0, 6 * 4 * 10 * 4]
    assert [row.parameters for row in rows] == [72, 0, 75]


def test_a_receptive_field_is_no_larger_than_the_image():
    net = nn.Sequential(nn.Conv2d(1, 1, 5, padding=2), nn.Conv2d(1, 1, 5, padding=2))
    assert [row.receptive_field for row in summary(net, (1, 1, 6, 20)).rows] == [(5, 5), (6, 9)]


def test_nested_nets_are_looked_into():
    inner = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    rows = summary(nn.Sequential(inner, nn.Sequential(nn.AvgPool2d(2))), (1, 1, 8, 8)).rows
    assert [row.name for row in rows] == ["0.0", "0.1", "1.0"]
    assert [row.receptive_field for row in rows] == [(3, 3), (3, 3), (4, 4)]


def test_a_layer_that_is_used_twice_has_two_rows_and_counts_once():
    layer = nn.Linear(3, 3)
    found = summary(nn.Sequential(layer, nn.ReLU(), layer), (1, 3))
    assert len(found.rows) == 3 and found.parameters == 12 and found.multiply_adds == 18


def test_flat_inputs_have_no_receptive_field():
    found = summary(nn.Sequential(nn.Linear(3, 4), nn.Dropout()), (5, 7, 3))
    assert [row.receptive_field for row in found.rows] == [None, None]
    assert found.multiply_adds == 7 * 12
    assert "?" in str(found).splitlines()[2]


def test_mixing_one_axis_or_the_batch_ends_the_receptive_field():
    assert summary(nn.Linear(3, 3), (1, 1, 3, 3)).rows[0].receptive_field is None
    rows = summary(nn.Sequential(nn.ReLU(), nn.Flatten(0)), (2, 1, 3, 3)).rows
    assert [row.receptive_field for row in rows] == [(1, 1), None]


def test_records_no_gradients():
    class Probe(nn.Module):
        def forward(self, x):
            self.recorded = x.requires_grad
            return x

    net = nn.Sequential(nn.Linear(3, 4), Probe())
    summary(net, (1, 3))
    assert net[1].recorded is False


def test_a_single_layer():
    (row,) = summary(nn.Conv2d(1, 2, 3), (1, 1, 5, 6)).rows
    assert (row.name, row.output_shape, row.receptive_field) == ("", (1, 2, 3, 4), (3, 3))


def test_modules_that_it_does_not_know_are_marked():
    class Swish(nn.Module):
        def forward(self, x):
            return x * x.sigmoid()

    class Residual(nn.Module):
        def __init__(self):
            self.conv, self.relu = nn.Conv2d(2, 2, 3, padding=1), nn.ReLU()

        def forward(self, x):
            return self.relu(x + self.conv(x))

    rows = summary(nn.Sequential(Swish(), nn.Flatten(), nn.Linear(8, 1)), (1, 2, 2, 2)).rows
    assert [row.multiply_adds for row in rows] == [None, 0, 8]
    assert [row.receptive_field for row in rows] == [None, None, None]
    rows = summary(nn.Sequential(Residual()), (1, 2, 4, 4)).rows
    assert [(row.name, row.receptive_field) for row in rows] == [("0.conv", (3, 3)), ("0.relu", None)]


def test_leaves_no_trace(rng):
    net = LeNet(dropout=0.5)
    net[0].eval()
    net.train()[3].eval()
    modes = [module.training for module in net.modules()]
    gradient = net[0].weight.grad = tinycnn.tensor(rng.normal(size=(6, 1, 5, 5)).astype(np.float32))
    before, draws = net.state_dict(), tinycnn.random.get_state()
    attributes = [set(vars(module)) - {"training"} for module in net.modules()]
    summary(net, (1, 1, 28, 28))
    assert [module.training for module in net.modules()] == modes
    assert net[0].weight.grad is gradient and net[3].weight.grad is None
    assert [set(vars(module)) - {"training"} for module in net.modules()] == attributes
    assert tinycnn.random.get_state() == draws
    for name, array in net.state_dict().items():
        assert np.array_equal(array, before[name])


def test_leaves_no_trace_after_an_error_which_names_the_layer():
    net = LeNet()
    with pytest.raises(ValueError, match=r"layer 7 .*Flatten made 256 = 16\*4\*4"):
        summary(net, (1, 1, 24, 24))
    assert all(module.training for module in net.modules()) and not any("forward" in vars(m) for m in net.modules())


def test_runs_where_the_parameters_are(device):
    assert summary(LeNet().to(device), (1, 1, 28, 28)).multiply_adds == 416_520


def test_a_net_without_parameters():
    assert summary(nn.Sequential(nn.ReLU()), (1, 2)).rows[0].output_shape == (1, 2)


@pytest.mark.parametrize("shape", [(1, 1, 28, 0), (1, 1, 28, -1)])
def test_sizes_are_positive(shape):
    with pytest.raises(ValueError, match="summary: every size of input_shape must be at least 1, got"):
        summary(LeNet(), shape)


def test_the_field_of_a_sum_is_that_of_its_wider_part(rng):
    around = nn.Sequential(nn.Conv2d(2, 3, 1, stride=2))
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.Residual(nn.Conv2d(2, 2, (3, 5), padding=(1, 2)), nn.Sigmoid()),
        nn.Residual(nn.Conv2d(2, 3, 3, 2, 1), shortcut=around),
        nn.Conv2d(3, 1, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
    )
    rows = {row.name: row for row in summary(net, (1, 1, 40, 40)).rows}
    assert [rows[name].receptive_field for name in ("0", "1.body.1", "1.shortcut", "2.body.0", "2.shortcut.0")] == [
        (3, 3), (5, 7), (3, 3), (7, 9), (5, 7),
    ]  # fmt: skip
    assert rows["3"].receptive_field == (7 + 2 * 2, 9 + 2 * 2) and rows["4"].receptive_field == (40, 40)
    assert rows["4"].multiply_adds == 0 and "1" not in rows
    x = tinycnn.tensor(rng.normal(size=(1, 1, 40, 40)).astype(np.float32), requires_grad=True)
    net[:4](x)[0, 0, 10, 10].backward()
    touched = np.argwhere(x.grad.numpy()[0, 0])
    assert (np.ptp(touched, axis=0) + 1).tolist() == [11, 13]
