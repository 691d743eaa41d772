"""Schedules by hand, beside torch's, saved and loaded."""

import math

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.optim import SGD, Adam, CosineAnnealingLR, LinearLR, OneCycleLR, SequentialLR, StepLR


def sgd(lr, **options):
    return SGD([nn.Parameter(np.ones(1))], lr, **options)


def rates(schedule, epochs):
    """The learning rate in each epoch."""
    found = []
    for _ in range(epochs):
        found.append(schedule.optimizer.lr)
        schedule.step()
    return found


def test_step_schedule_by_hand():
    optimizer = sgd(lr=0.8)
    assert rates(StepLR(optimizer, step_size=2, gamma=0.5), 6) == [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]


def test_rates_are_python_numbers_whatever_was_assigned():
    optimizer = sgd(lr=0.8)
    optimizer.lr = np.float32(0.5)
    assert [type(rate) for rate in rates(StepLR(optimizer, 1), 3)[1:]] == [float, float]


def test_cosine_schedule_by_hand():
    optimizer = sgd(lr=1.0)
    found = rates(CosineAnnealingLR(optimizer, T_max=4, eta_min=0.2), 5)
    assert found == pytest.approx([1.0, 0.6 + 0.4 * math.sqrt(0.5), 0.6, 0.6 - 0.4 * math.sqrt(0.5), 0.2])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("StepLR", {"step_size": 3, "gamma": 0.3}),
        ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}),
        ("LinearLR", {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 6}),
        ("OneCycleLR", {"max_lr": 0.5, "total_steps": 15, "cycle_momentum": False}),
        ("OneCycleLR", {"max_lr": 2, "total_steps": 20, "pct_start": 0.45, "anneal_strategy": "linear"}),
        ("OneCycleLR", {"max_lr": 2, "total_steps": 15, "base_momentum": 0.2, "div_factor": 3, "final_div_factor": 9}),
    ],
)
def test_schedules_are_torchs(name, options):
    torch = pytest.importorskip("torch")
    ours = sgd(lr=0.9, momentum=0.5)
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.9, momentum=0.5)
    a = getattr(tinycnn.optim, name)(ours, **options)
    b = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    for _ in range(14):
        assert ours.lr == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9)
        assert ours.momentum == pytest.approx(theirs.param_groups[0]["momentum"], rel=1e-9)
        theirs.step()
        a.step()
        b.step()


def warm_up(optimizer):
    return SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=2), CosineAnnealingLR(optimizer, 8)], [2])


def test_a_warm_up_is_followed_by_the_next_schedule_as_in_torch():
    torch = pytest.importorskip("torch")
    ours, theirs = sgd(lr=0.9), torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.9)
    lr = torch.optim.lr_scheduler
    b = lr.SequentialLR(theirs, [lr.LinearLR(theirs, 0.1, total_iters=2), lr.CosineAnnealingLR(theirs, 8)], [2])
    a = warm_up(ours)
    for _ in range(9):
        assert ours.lr == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9)
        theirs.step()
        a.step()
        b.step()


def test_one_cycle_moves_adams_first_beta():
    torch = pytest.importorskip("torch")
    ours, theirs = Adam([nn.Parameter(np.ones(1))]), torch.optim.Adam([torch.nn.Parameter(torch.ones(1))])
    a, b = OneCycleLR(ours, 0.1, 9), torch.optim.lr_scheduler.OneCycleLR(theirs, 0.1, 9)
    for _ in range(8):
        assert ours.betas == pytest.approx(theirs.param_groups[0]["betas"], rel=1e-9)
        theirs.step()
        a.step()
        b.step()
    a.step()
    with pytest.raises(ValueError, match=r"OneCycleLR: step\(\) number 10, but total_steps is 9"):
        a.step()


def test_every_group_has_its_own_rate():
    ps = [{"params": [nn.Parameter(np.ones(1))], "lr": 0.1}, {"params": [nn.Parameter(np.ones(1))]}]
    optimizer = SGD(ps, lr=1.0)
    schedule = CosineAnnealingLR(optimizer, 2, eta_min=0.05)
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.075, 0.525])


@pytest.mark.parametrize(
    "build", [lambda o: StepLR(o, 2), lambda o: CosineAnnealingLR(o, 6), warm_up, lambda o: OneCycleLR(o, 0.3, 20)]
)
def test_a_schedule_goes_on_where_it_was_saved(build):
    first, second = sgd(lr=0.9, momentum=0.5), sgd(lr=0.1, momentum=0.5)
    a, b = build(first), build(second)
    rates(a, 3)
    b.load_state_dict(a.state_dict())
    assert (second.lr, second.momentum) == (first.lr, first.momentum) and rates(b, 4) == rates(a, 4)


def test_a_schedules_state_is_checked():
    optimizer = sgd(lr=0.9)
    schedule = StepLR(optimizer, 2)
    before = schedule.state_dict()
    for bad, error, message in [
        ({"gamma": 1}, ValueError, "of StepLR: expected the entries base_lrs, last_epoch, step_size, gamma, got gamma"),
        ({**before, "last_epoch": -1}, ValueError, "of StepLR: last_epoch must be at least 0, got -1"),
        ({**before, "step_size": 0}, ValueError, "of StepLR: step_size must be at least 1, got 0"),
        ({**before, "gamma": "half"}, TypeError, "of StepLR: gamma must be a number, got 'half'"),
        (None, TypeError, r"of StepLR: expected what state_dict\(\) returned, got NoneType"),
    ]:
        with pytest.raises(error, match=message):
            schedule.load_state_dict(bad)
    assert schedule.state_dict() == before and optimizer.lr == 0.9


def test_schedules_check_their_arguments():
    optimizer = sgd(lr=0.9)
    with pytest.raises(ValueError, match="StepLR: step_size must be at least 1, got 0"):
        StepLR(optimizer, 0)
    for build, message in [
        (lambda: OneCycleLR(optimizer, 1.0, 10), "OneCycleLR: cycle_momentum needs an optimizer with momentum"),
        (lambda: OneCycleLR(optimizer, -1.0, 10), "OneCycleLR: max_lr must be at least 0, got -1.0"),
        (
            lambda: OneCycleLR(optimizer, 1.0, 10, anneal_strategy="up"),
            "anneal_strategy must be one of 'cos', 'linear'",
        ),
        (lambda: LinearLR(optimizer, 2.0), "LinearLR: start_factor must be between 0 and 1, got 2.0"),
        (lambda: SequentialLR(optimizer, [StepLR(optimizer, 1)], [3]), r"SequentialLR: expected a rising milestone"),
    ]:
        with pytest.raises(ValueError, match=message):
            build()
    with pytest.raises(TypeError, match="CosineAnnealingLR: T_max must be an int, got 2.5"):
        CosineAnnealingLR(optimizer, 2.5)
    with pytest.raises(ValueError, match="CosineAnnealingLR: eta_min must be finite, got nan"):
        CosineAnnealingLR(optimizer, 2, math.nan)


def test_a_rate_set_by_hand_stays_and_is_scaled():
    torch = pytest.importorskip("torch")
    ours = SGD([tinycnn.tensor([1.0], requires_grad=True)], lr=0.8)
    theirs = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.8)
    for make in ("StepLR", "CosineAnnealingLR"):
        ours.lr = theirs.param_groups[0]["lr"] = 0.8
        arguments = {"step_size": 2, "gamma": 0.5} if make == "StepLR" else {"T_max": 8, "eta_min": 0.01}
        library = torch.optim.lr_scheduler
        schedules = getattr(tinycnn.optim, make)(ours, **arguments), getattr(library, make)(theirs, **arguments)
        for epoch in range(7):
            if epoch == 3:
                ours.lr = theirs.param_groups[0]["lr"] = 0.3
            theirs.step()
            for schedule in schedules:
                schedule.step()
            assert ours.lr == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9)


def test_a_rate_set_by_hand_within_one_cycle_lasts_until_its_next_step_as_in_torch():
    torch = pytest.importorskip("torch")
    ours = SGD([tinycnn.tensor([1.0], requires_grad=True)], lr=0.1, momentum=0.9)
    theirs = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1, momentum=0.9)
    schedules = OneCycleLR(ours, 0.5, 9), torch.optim.lr_scheduler.OneCycleLR(theirs, 0.5, 9)
    for step in range(8):
        if step == 3:
            ours.lr = theirs.param_groups[0]["lr"] = 7.0
        theirs.step()
        for schedule in schedules:
            schedule.step()
        assert ours.lr == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9) and ours.lr < 1


def test_two_schedules_multiply():
    optimizer = SGD([tinycnn.tensor([1.0], requires_grad=True)], lr=1.0)
    schedules = StepLR(optimizer, 1, gamma=0.5), StepLR(optimizer, 2, gamma=0.1)
    found = []
    for _ in range(4):
        for schedule in schedules:
            schedule.step()
        found.append(optimizer.lr)
    assert found == pytest.approx([0.5, 0.25 * 0.1, 0.125 * 0.1, 0.0625 * 0.01])


def test_error_for_a_rate_set_by_hand_when_the_schedule_is_down_at_its_least():
    optimizer = SGD([tinycnn.tensor([1.0], requires_grad=True)], lr=1.0)
    schedule = CosineAnnealingLR(optimizer, T_max=1)
    schedule.step()
    optimizer.lr = 0.5
    with pytest.raises(RuntimeError, match="the schedule has come down to 0, .* set to 0.5; make"):
        schedule.step()
