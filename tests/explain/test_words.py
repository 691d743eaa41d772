"""The tables of words: the same keys and parts in every language, each key used, each key that is used there."""

import json
import re

import pytest

from tinycnn import explain
from tinycnn.explain import __main__ as command
from tinycnn.explain import bundle, words
from tinycnn.explain.words import FIRST, FOLDER, languages, say, table, texts

SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in bundle.STATIC.rglob("scripts/**/*.js")}
PACKAGE = bundle.STATIC.parents[1]
PYTHON = {path.name: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
CALL = re.compile(r'\b(?:words|pieces|entry|question)\(\s*["`]([^"`]+)["`]')
KEY = re.compile(r'["`](\w+(?:\.[\w${}]+)+)["`]')
PYTHON_CALL = re.compile(r'\b(?:say|everywhere)\([^()]*?"([a-z_]+\.[a-z_.]+)"')
MARKED = re.compile(r'data-(?:text|label)="([^"]+)"')


def named(call=CALL):
    """The keys that scripts, page and command ask for, as patterns: whatever a script puts into a key stands for any
    name."""
    found = [key for text in SCRIPTS.values() for key in call.findall(text)]
    found += [key for text in PYTHON.values() for key in PYTHON_CALL.findall(text)]
    found += MARKED.findall((bundle.STATIC / "page.html").read_text(encoding="utf-8"))
    return {re.sub(r"\\\$\\\{.*?\\\}", "[^.]+", re.escape(key)) for key in found}


def test_languages():
    assert languages()[0] == FIRST and {"en", "vi"} <= set(languages())
    for language in languages():  # a table that is unlike the first is refused
        assert dict(texts(table(language)))["language"]


def test_every_key_that_is_asked_for_is_there_and_every_text_is_asked_for():
    keys = [key for key, _ in texts(table(FIRST))]
    missing = [p for p in named() if not any(re.match(rf"{p}(\.|$)", key) for key in keys)]
    assert not missing, f"no table has {missing}"
    patterns = named(KEY) | named()
    unused = [key for key in keys if key != "language" and not any(re.match(rf"{p}(\.|$)", key) for p in patterns)]
    assert not unused, f"nothing asks for {unused}"


@pytest.fixture
def third(tmp_path, monkeypatch):
    """A folder of languages with a third one, which a change may make wrong."""

    def write(change):
        for path in FOLDER.glob("*.json"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        found = json.loads((FOLDER / "en.json").read_text(encoding="utf-8"))
        change(found)
        (tmp_path / "eo.json").write_text(json.dumps(found), encoding="utf-8")
        monkeypatch.setattr(words, "FOLDER", tmp_path)

    return write


def test_another_language_is_another_file(third, tmp_path):
    third(lambda found: found.update(language="Esperanto") or found["page"].update(close="Fermi"))
    assert languages() == ["en", "eo", "vi"] and say("eo", "page.close") == "Fermi"
    page = explain.lesson_page(tmp_path / "page.html", lang="eo").read_text(encoding="utf-8")
    assert '<html lang="eo">' in page and '"close":"Fermi"' in page


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda found: found["page"].pop("close"), r"page\.close"),
        (lambda found: found["page"].update(shut="Shut"), r"page\.shut"),
        (lambda found: found["page"].update(seed="seed {graine}"), r"page\.seed"),
        (lambda found: found["glossary"]["entries"].pop(), r"glossary\.entries\.16\.meaning, .*16\.word"),
    ],
)
def test_a_table_that_is_unlike_the_first_is_refused(third, change, fault):
    third(change)
    with pytest.raises(ValueError, match=rf"words: eo\.json and en\.json differ in keys or \{{parts\}}: {fault}$"):
        table("eo")


def test_a_language_without_a_table_is_refused(tmp_path):
    with pytest.raises(ValueError, match="words: there is no language 'fr', expected one of en, vi"):
        explain.lesson_page(tmp_path / "page.html", lang="fr")


def test_the_command_speaks_the_language_of_its_page(tmp_path, capsys):
    path = tmp_path / "page.html"
    assert command.main(["--lang", "vi", "--out", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"đã ghi {path} (")
    text = path.read_text(encoding="utf-8")
    assert '<html lang="vi">' in text and "<title>Tích chập hoạt động thế nào</title>" in text
