"""The picture of data parallelism: what ranks do in it is what they do, and the sum is the engine's."""

import runpy
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "examples" / "data_parallel.py"
pytest.importorskip("matplotlib")
pytest.importorskip("threadpoolctl")


@pytest.fixture(scope="module")
def program():
    return runpy.run_path(str(PROGRAM))


@pytest.mark.parametrize(
    ("ranks", "part", "lines"),
    [
        (4, 16, ["rank 0: images 0 to 15, in 1 part; it sends 92,558", "rank 3: images 48 to 63, in 1 part"]),
        (3, 8, ["rank 0: images 0 to 15, in 2 parts; it sends 82,274", "rank 1: images 16 to 39, in 3 parts"]),
        (1, 64, ["rank 0: images 0 to 63, in 1 part; it sends 0 numbers"]),
    ],
)
def test_it_tells_who_does_what_and_draws_it(program, ranks, part, lines, tmp_path, capsys):
    out = tmp_path / "new" / "picture.png"
    arguments = ["--ranks", str(ranks), "--part", str(part), "--batch-size", "64", "--dataset", "silhouettes"]
    program["main"]([*arguments, "--out", str(out)])
    printed = capsys.readouterr().out
    assert "a net of 61,706 numbers, a batch of 64 images\n" in printed and all(line in printed for line in lines)
    assert "the sum has the bits of one process's gradient\n" in printed
    assert out.read_bytes().startswith(b"\x89PNG")


def test_another_order_of_the_sum_has_other_bits(program, tmp_path, monkeypatch):
    monkeypatch.setitem(
        program["main"].__globals__, "add_up", lambda pieces, who: sum(row for rows in pieces[::-1] for row in rows)
    )
    with pytest.raises(AssertionError):
        program["main"](["--dataset", "silhouettes", "--out", str(tmp_path / "picture.png")])


def test_ranks_without_a_part_are_refused(program, tmp_path):
    with pytest.raises(ValueError, match="4 parts for 5 ranks, expected one for each; make --part smaller"):
        program["main"](["--ranks", "5", "--dataset", "silhouettes", "--out", str(tmp_path / "picture.png")])
