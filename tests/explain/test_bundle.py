"""The scripts become one, in the order of their imports; what cannot be joined is refused by name."""

import shutil
import subprocess

import pytest

from tinycnn.explain.bundle import joined_scripts


@pytest.fixture
def joined(tmp_path):
    def join(**files):
        for name, text in files.items():
            path = tmp_path / f"{name.replace('_', '/')}.js"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return joined_scripts(tmp_path)

    return join


MODULES = {
    "main": 'import { twice } from "./tabs/b.js";\nimport { ONE, more } from "./base/c.js";\n'
    "console.log(twice(more(ONE)));\n",
    "tabs_b": 'import { ONE } from "../base/c.js";\n\nexport function twice(x) {\n  return hidden(x) * 2 * ONE;\n}\n'
    "function hidden(x) {\n  return x;\n}\n",
    "base_c": "export const ONE = 1;\nexport function more(x) {\n  return hidden + all().next().value * x;\n}\n"
    "const hidden = 20;\nexport function* all() {\n  yield 1;\n}\n",
}


def test_a_script_comes_after_what_it_imports(joined):
    text = joined(**MODULES)
    places = [text.index(f"const {name} = ") for name in ("base_c", "tabs_b", "main")]
    assert places == sorted(places)
    assert "import " not in text and "export " not in text
    assert "const { twice } = tabs_b;" in text and "return { ONE, more, all };" in text


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_joined_script_does_what_the_modules_do(joined, tmp_path):
    text = joined(**MODULES)  # both modules have a function or number of their own called `hidden`
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    modules = subprocess.run(["node", "main.js"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert (
        subprocess.run(["node", "-"], input=text, capture_output=True, text=True, check=True).stdout
        == modules
        == "42\n"
    )


def test_a_circle_is_refused(joined):
    modules = {
        "a": 'import { b } from "./b.js";\n',
        "b": 'import { c } from "./c.js";\n',
        "c": 'import { a } from "./a.js";\n',
    }
    with pytest.raises(ValueError, match=r"import each other in a circle: \w\.js -> \w\.js -> \w\.js -> \w\.js"):
        joined(**modules)


@pytest.mark.parametrize(
    "line", ['import * as all from "./b.js";', "export default 1;", "export let x = 1;", 'import "./b.js";']
)
def test_a_line_that_cannot_be_joined_is_refused(joined, line):
    with pytest.raises(ValueError, match=r"bundle: a\.js has a line that cannot be joined: (import|export) "):
        joined(a=line + "\n", b="export const x = 1;\n")
