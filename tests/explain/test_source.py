"""The lines that the page shows are the engine's, and every line that it lights is there."""

import inspect
from pathlib import Path

import pytest

import tinycnn
from tinycnn.explain import source

ROOT = Path(tinycnn.__file__).parent.parent


@pytest.mark.parametrize("name", source.SHOWN)
def test_text_and_place_are_those_of_the_file(name):
    found = source.sources()[name]
    lines = (ROOT / found["file"]).read_text(encoding="utf-8").splitlines()
    shown = found["text"].splitlines()
    assert [line.strip() for line in lines[found["line"] - 1 :][: len(shown)]] == [line.strip() for line in shown]


@pytest.mark.parametrize("name", source.SHOWN)
def test_every_named_line_is_there(name):
    found = source.sources()[name]
    for mark, piece in source.SHOWN[name].marks.items():
        places = found["marks"][mark]
        assert places, f"{found['file']} has no line with {piece!r} any more; mend source.SHOWN"
        assert all(piece in found["text"].splitlines()[place] for place in places)


@pytest.mark.parametrize("name", [name for name, shown in source.SHOWN.items() if shown.part])
def test_a_part_begins_and_ends_where_it_should(name):
    first, last = source.SHOWN[name].part
    lines = source.sources()[name]["text"].splitlines()
    assert first in lines[0] and last in lines[-1]


def test_a_line_that_is_gone_is_not_lit_and_does_no_harm():
    shown = source.Shown(inspect.cleandoc, {"gone": "no such text"}, ("nor this", "nor that"))
    with pytest.raises(ValueError):
        source._source(shown)  # not a function of this package
    found = source._source(source.SHOWN["im2col"]._replace(marks={"gone": "no such text"}, part=("nor this", "nor")))
    assert found["marks"] == {"gone": []} and found["text"].startswith("def im2col(")
