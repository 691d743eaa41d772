import gc
import re
import subprocess
import sys
import textwrap
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from helpers import assert_close, leaf

import tinycnn
from tinycnn.autograd.tape import is_grad_enabled
from tinycnn.autograd.tensor import OPS, Op

MB = 1 << 20


@pytest.fixture
def new_op():
    """A function that makes an operation out of a forward and a backward; it leaves `OPS` again after the test."""
    made = []

    def make(name, forward, backward):
        made.append(name)
        return type("TestOp", (Op,), {"forward": staticmethod(forward), "backward": staticmethod(backward)}, name=name)

    yield make
    for name in made:
        del OPS[name]


# Sums over reuse


def test_diamond():
    x = tinycnn.tensor([3.0], requires_grad=True)
    a, b = x * 2, x * x
    (a * b).backward()  # 2x * x^2
    assert x.grad.numpy().tolist() == [6 * 3**2]


def test_same_tensor_on_both_sides():
    x = tinycnn.tensor([3.0, -1.0], requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.numpy().tolist() == [2 * 3, 2 * -1]


def test_ladder_of_diamonds_visits_each_node_once():
    """y = x * 2^60 by 60 doublings: 2^60 paths, which a search path by path would never finish."""
    x = tinycnn.tensor([1.0], np.float64, requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60


def test_branches_of_different_lengths(rng):
    """The short branch reports first; backward through the shared node must wait for the long one."""
    x = leaf(rng, 4)
    shared = x * x
    long = shared
    for _ in range(5):
        long = long * 2
    (long + shared).sum().backward()
    assert_close(x.grad, 2 * x.data * (2**5 + 1))


def test_one_tensor_used_thousands_of_times(rng):
    x = leaf(rng, 3)
    y = x * 0
    for _ in range(3000):
        y = y + x
    y.backward(np.array([1.0, 2, 3]))
    assert x.grad.numpy().tolist() == [3000, 6000, 9000]


def test_accumulates_over_calls_of_backward(rng):
    x = leaf(rng, 2, 3)
    for _ in range(3):
        (x * 2).sum().backward()
    assert x.grad.numpy().tolist() == [[6] * 3] * 2
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad.numpy().tolist() == [[2] * 3] * 2


def test_backward_of_a_leaf_is_its_own_gradient():
    x = tinycnn.tensor([1.0, 2], requires_grad=True)
    x.backward(np.array([5.0, 6]))
    x.backward(np.array([5.0, 6]))
    assert x.grad.numpy().tolist() == [10, 12]


def test_gradients_own_their_memory(rng):
    """add hands the same array to both inputs, and a view of it to reshape's: changing one must not change others."""
    a, b = leaf(rng, 2, 2), leaf(rng, 4)
    dy = np.ones((2, 2))
    (a + b.reshape(2, 2)).backward(dy)
    a.grad.data += 10
    assert b.grad.numpy().tolist() == [1, 1, 1, 1] and dy.tolist() == [[1, 1], [1, 1]]
    b.grad.data[0] = 7  # writable, although the gradient of sum is a broadcast view
    c = leaf(rng, 3)
    c.sum().backward()
    c.grad.data[0] = 7
    assert c.grad.numpy().tolist() == [7, 1, 1]


def test_accumulating_does_not_change_gradients_already_handed_out(rng):
    x = leaf(rng, 2)
    x.sum().backward()
    first = x.grad
    x.sum().backward()
    assert first.numpy().tolist() == [1, 1] and x.grad.numpy().tolist() == [2, 2]


def test_only_leaves_get_gradients(rng):
    x = leaf(rng, 2)
    y = x * 2
    y.sum().backward()
    assert y.grad is None and x.grad is not None


# Depth


def chain(x, length):
    y = x
    for _ in range(length):
        y = y + x
    return y


def test_a_chain_of_ten_thousand_operations_does_not_recurse(rng):
    x = leaf(rng, 3)
    chain(x, 10_000).sum().backward()
    assert x.grad.numpy().tolist() == [10_001] * 3


def test_the_work_grows_with_the_length_of_the_chain_and_not_faster(rng):
    """Counted in function calls, Python's and C's, since a clock would measure the machine's other business too."""

    def calls(length):
        count = [0]

        def watch(frame, event, arg):
            count[0] += event.endswith("call")

        x = leaf(rng, 3)
        before = sys.getprofile()
        sys.setprofile(watch)
        try:
            chain(x, length).sum().backward()
        finally:
            sys.setprofile(before)
        return count[0]

    short, long = calls(500), calls(5000)
    assert 9 * short < long < 11 * short


def test_dropping_a_deep_graph_without_backward_does_not_crash():
    """In an interpreter of its own, because the failure would be a stack overflow that kills it."""
    program = """
        import numpy as np, tinycnn
        x = tinycnn.tensor([1.0], requires_grad=True)
        y = x
        for _ in range(100_000):
            y = -y
        del y
        y = x
        for _ in range(100_000):
            y = y + x
        y.backward()
        print("alive", x.grad.item())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["alive", "100001.0"]


# Memory


def test_results_die_with_their_last_user(rng):
    """The graph holds what ops saved, not the tensors in between; and dropping the result drops the graph."""
    x = leaf(rng, 4)
    middle = x + 1
    node, tensor = weakref.ref(middle.grad_fn), weakref.ref(middle)
    y = middle + 1
    gc.disable()  # reference counts alone must do it: a cycle would hold arrays until some later collection
    try:
        del middle
        assert tensor() is None and node() is not None
        del y
        assert node() is None
    finally:
        gc.enable()


def test_buffers_are_freed_as_backward_passes_them(new_op):
    """Ten operations that save a megabyte each: at the start of the k-th backward, k - 1 of them are gone."""
    saved = []

    def forward(ctx, x):
        buffer = np.ones(MB, np.uint8)
        saved.append(weakref.ref(buffer))
        ctx.save(buffer=buffer)
        return x + 0

    def backward(ctx, dy):
        alive.append(sum(r() is not None for r in saved))
        return dy

    alive = []
    op = new_op("hoarder", forward, backward)
    y = tinycnn.tensor([1.0], requires_grad=True)
    for _ in range(10):
        y = op.apply(y)
    y.backward()  # y, and so the graph's root, is still held
    assert alive == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert all(r() is None for r in saved)


def test_backward_takes_the_graph_apart(rng):
    """Whoever keeps the loss, to print it later, keeps one node of the graph and not the rest."""
    x = leaf(rng, 4)
    middle = x + 1
    node, loss = weakref.ref(middle.grad_fn), middle.sum()
    del middle
    loss.backward()
    assert loss.grad_fn is not None and node() is None


def test_backward_of_a_long_chain_needs_little_more_than_two_gradients(rng):
    x = tinycnn.tensor(rng.uniform(size=MB // 8), requires_grad=True)  # 1 MB
    y = x
    for _ in range(20):
        y = y * 1.5  # saves its input: 20 MB
    dy = np.ones(y.shape)
    tracemalloc.start()
    y.backward(dy)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * MB


def test_retain_graph_keeps_the_buffers(rng):
    x = leaf(rng, 3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert_close(x.grad, 6 * x.data)


def test_second_backward_says_what_to_do(rng):
    x = leaf(rng, 3)
    y = (x * x).sum()
    y.backward()
    once = x.grad.numpy().copy()
    with pytest.raises(RuntimeError, match="sum has been passed by an earlier backward.*retain_graph=True"):
        y.backward()
    assert np.array_equal(x.grad.numpy(), once)


def test_second_backward_through_a_shared_part_names_it(rng):
    x = leaf(rng, 3)
    shared = x.exp()
    (shared * 2).sum().backward()
    with pytest.raises(RuntimeError, match="exp has been passed by an earlier backward"):
        (shared * 3).sum().backward()


# Engine errors: an op's backward that breaks its promise is named


@pytest.mark.parametrize(
    ("backward", "text"),
    [
        (lambda ctx, dy: dy.T, "skew: backward returned a gradient of shape (3, 2) and dtype float32 for input 0"),
        (lambda ctx, dy: dy.sum(axis=0), "skew: backward returned a gradient of shape (3,)"),
        (lambda ctx, dy: dy[None], "skew: backward returned a gradient of shape (1, 2, 3)"),
        (lambda ctx, dy: dy.astype(float), "and dtype float64 for input 0 of shape (2, 3) and dtype float32"),
        (lambda ctx, dy: 1.0, "skew: backward returned a gradient of type float for input 0"),
        (lambda ctx, dy: (dy, dy), "skew: backward returned 2 gradients for 1 inputs"),
        (lambda ctx, dy: (), "skew: backward returned 0 gradients for 1 inputs"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("source", ["leaf", "node"])
def test_a_wrong_gradient_is_an_error_that_names_the_op(backward, text, source, new_op):
    x = tinycnn.tensor(np.ones((2, 3), np.float32), requires_grad=True)
    y = new_op("skew", lambda ctx, x: x * 2, backward).apply(x if source == "leaf" else x + 0)
    with pytest.raises(RuntimeError, match=re.escape(text)):
        y.backward(np.ones((2, 3)))
    assert x.grad is None


def test_needs_tells_backward_which_gradients_are_wanted(new_op):
    needs = []

    def backward(ctx, dy):
        needs.append(list(ctx.needs))
        return dy, None, dy

    op = new_op("three", lambda ctx, a, b, c: a + c, backward)
    a, b = tinycnn.tensor([1.0], requires_grad=True), tinycnn.tensor([1.0])
    op.apply(a, None, b).backward()
    assert needs == [[True, False, False]] and b.grad is None


def test_an_input_without_gradient_may_be_left_out(new_op):
    op = new_op("half", lambda ctx, a, b: a * b, lambda ctx, dy: (dy, None))
    a, b = (tinycnn.tensor([2.0], requires_grad=True) for _ in range(2))
    op.apply(a, b).backward()
    assert a.grad.item() == 1 and b.grad is None


# no_grad


def test_no_grad_records_nothing(rng):
    x = leaf(rng, 3)
    with tinycnn.no_grad():
        assert not is_grad_enabled()
        y = x * 2
    assert is_grad_enabled()
    assert not y.requires_grad and y.grad_fn is None
    with pytest.raises(RuntimeError, match=r"does not depend on any tensor with requires_grad=True, or .* no_grad"):
        y.sum().backward()


def test_no_grad_tells_the_op_to_save_for_nobody(new_op):
    needs = []
    op = new_op("nosy", lambda ctx, x: needs.append(list(ctx.needs)) or x * 1, lambda ctx, dy: dy)
    x = tinycnn.tensor([1.0], requires_grad=True)
    op.apply(x)
    with tinycnn.no_grad():
        op.apply(x)
    assert needs == [[True], [False]]


def test_no_grad_nested_reused_and_after_an_exception(rng):
    x, off = leaf(rng, 3), tinycnn.no_grad()
    with off:
        with off:
            assert not (x * 2).requires_grad
        assert not (x * 2).requires_grad
        with pytest.raises(KeyError), tinycnn.no_grad():
            raise KeyError
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_no_grad_as_a_decorator(rng):
    @tinycnn.no_grad()
    def double(x, depth=0):
        """Doubles."""
        return double(x, depth - 1) if depth else x * 2

    x = leaf(rng, 3)
    assert double.__name__ == "double" and double.__doc__ == "Doubles."
    assert not double(x).requires_grad and not double(x, depth=3).requires_grad
    assert (x * 2).requires_grad


def test_no_grad_is_per_thread(rng):
    x, found = leaf(rng, 3), {}
    inside, done = threading.Barrier(2), threading.Barrier(2)

    def evaluate():
        with tinycnn.no_grad():
            inside.wait(10)
            found["evaluating"] = (x * 2).requires_grad
            done.wait(10)

    thread = threading.Thread(target=evaluate)
    thread.start()
    inside.wait(10)
    found["training"] = (x * 2).requires_grad  # while the other thread is within no_grad
    done.wait(10)
    thread.join()
    assert found == {"evaluating": False, "training": True}


# Tapes of several threads


def test_threads_run_backward_on_their_own_tapes(rng):
    """Each thread makes and plays back its own graph over shared inputs that are constants to it."""
    w = rng.uniform(size=(50, 50))
    results = [None] * 4

    def work(i):
        mine = tinycnn.tensor(w, requires_grad=True)
        for _ in range(20):
            ((mine * (i + 1)) @ mine.T).sum().backward()
        results[i] = mine.grad.numpy()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i in range(4):
        assert_close(results[i], results[0] * (i + 1), rtol=1e-10)


def test_the_same_backward_twice_gives_the_same_bits(rng):
    data = rng.standard_normal((20, 20)).astype(np.float32)

    def gradient():
        x = tinycnn.tensor(data, requires_grad=True)
        a, b = x.exp(), x * 3
        (a @ b + b @ a.T + a * b).mean().backward()
        return x.grad.numpy()

    assert np.array_equal(gradient(), gradient())


# What a node tells


def test_node_names_its_operation_and_its_inputs(rng):
    x = leaf(rng, 2, 3)
    y = (x * 2).sum(axis=0)
    assert repr(y.grad_fn) == "<sum>" and y.grad_fn.shape == (3,) and y.grad_fn.dtype == np.float64
    (product,) = y.grad_fn.sources
    assert product.name == "mul" and product.sources[0] is x and product.sources[1] is None
    assert product.ctx.a is x.data
    assert y.grad_fn.generation == product.generation + 1


def test_context_keeps_by_name(rng):
    x = leaf(rng, 2)
    ctx = x.exp().grad_fn.ctx
    assert np.array_equal(ctx.y, np.exp(x.data)) and ctx.needs == [True]


def test_a_gradient_that_two_inputs_share_cannot_be_spoilt_by_one_of_them(rng):
    """x + relu(x) with a relu that works in place, as many write it: without a copy it would change x's other share."""

    class InPlaceReluOp(Op, name="in_place_relu"):
        @staticmethod
        def forward(ctx, x):
            ctx.save(x=x)
            return np.maximum(x, 0)

        @staticmethod
        def backward(ctx, dy):
            dy *= ctx.x > 0
            return dy

    x = tinycnn.tensor([-1.0, 1.0, -1.0], requires_grad=True)
    try:
        with pytest.raises(ValueError, match="in_place_relu: backward writes into dy"):
            (x + InPlaceReluOp.apply(x)).sum().backward()
    finally:
        OPS.pop("in_place_relu")


def test_another_error_of_a_backward_is_left_as_it_is():
    class BrokenOp(Op, name="broken"):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, dy):
            raise ValueError("no such luck")

    try:
        with pytest.raises(ValueError, match="^no such luck$"):
            BrokenOp.apply(tinycnn.tensor([1.0], requires_grad=True)).backward()
    finally:
        OPS.pop("broken")
