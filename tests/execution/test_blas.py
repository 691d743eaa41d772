"""BLAS gets its threads back when the last step that wanted one is gone, in whatever order, closed or not."""

import gc

import pytest

from tinycnn.execution.blas import single_threaded_blas

threadpoolctl = pytest.importorskip("threadpoolctl", reason="without it BLAS's threads cannot be limited")


class Holder:
    pass


def threads():
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    with threadpoolctl.threadpool_limits(2, "blas"):
        yield
    gc.collect()


def test_one_holder():
    holder = Holder()
    give_back = single_threaded_blas(holder)
    assert threads() == {1}
    give_back()
    give_back()
    assert threads() == {2}


def test_several_in_any_order():
    a, b = Holder(), Holder()
    give_a, give_b = single_threaded_blas(a), single_threaded_blas(b)
    give_a()
    assert threads() == {1}
    give_b()
    assert threads() == {2}


def test_a_holder_that_is_forgotten():
    holder = Holder()
    single_threaded_blas(holder)
    assert threads() == {1}
    del holder
    gc.collect()
    assert threads() == {2}
