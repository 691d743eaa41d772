"""The page's scripts keep the rules of the Python files: imports go downward only, functions and files are short.

Linter and formatter are eslint and prettier; package.json beside the scripts says how to run them.
"""

import re

import pytest

from tinycnn.explain import bundle

SCRIPTS = bundle.STATIC / "scripts"
FILES = {path.relative_to(SCRIPTS).as_posix(): path.read_text(encoding="utf-8") for path in SCRIPTS.rglob("*.js")}

# From the ground up: a script may import from its own room and from those before it; main.js lies above all.
ROOMS = ["base", "model", "widgets", "tabs", "tour", ""]
LONGEST_FUNCTION, LONGEST_FILE = 40, 300


def room(name):
    return name.rpartition("/")[0]


def complaints(files):
    """What is wrong with the imports and exports of {name: text}, in words."""
    exported = {name: set(bundle.EXPORT.findall(text)) for name, text in files.items()}
    used = {name: set() for name in files}
    for name, text in files.items():
        for names, source in bundle.imports(name, text):
            if source not in files:
                yield f"{name} imports {source}, which is no script"
                continue
            if ROOMS.index(room(source)) > ROOMS.index(room(name)):
                yield f"{name} imports {source}, which lies above it"
            yield from (f"{name} imports {n} from {source}, which has none" for n in set(names) - exported[source])
            used[source].update(names)
    yield from (f"{name} exports {n} to nobody" for name in files for n in exported[name] - used[name])


def test_imports_go_downward_only_and_find_what_they_name():
    assert list(complaints(FILES)) == []
    assert len(FILES) > 25, "the rule finds nothing to look at"


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"base/a.js": 'import { b } from "../tabs/b.js";\n', "tabs/b.js": "export const b = 1;\n"}, "lies above it"),
        ({"tabs/a.js": 'import { c } from "./b.js";\n', "tabs/b.js": "const c = 1;\n"}, "which has none"),
        ({"tabs/a.js": 'import { c } from "./b.js";\n'}, "which is no script"),
        ({"base/a.js": "export function f() {}\n"}, "exports f to nobody"),
        ({"tabs/b.js": 'import { a } from "../base/a.js";\n', "base/a.js": "export class a {}\n"}, None),
    ],
)
def test_the_rule_of_imports_can_fail(files, fault):
    found = list(complaints(files))
    assert (not found) if fault is None else (len(found) == 1 and fault in found[0])


# Sizes

QUOTED = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`", re.S)
PATTERN = re.compile(r"(?<=[(,=:\[!&|?{};])(\s*)/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*")
HEADS = re.compile(
    r"=>\s*|\bfunction\*? (\w*)\([^{}]*?(?:\{[^{}]*\}[^{}]*?)*\) (?=\{)|"
    r"^ +(?:get |static |\*)?(?!if|for|while|switch|catch|function)(\w+)\([^;]*?\) (?=\{$)",
    re.M,
)


def blank(match):
    """The same length and the same lines, without anything that could be taken for a bracket."""
    return re.sub(r"[^\n]", " ", match[0])


def functions(text):
    """The functions of a script, nested ones too: (first line, number of lines)."""
    text = PATTERN.sub(blank, QUOTED.sub(blank, text))
    for head in HEADS.finditer(text):
        depth, end = 0, head.end()
        while end < len(text):
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[end], 0)
            if depth < 0 or (depth == 0 and text[end] in "},;" and (text[head.end()] != "{" or text[end] == "}")):
                break
            end += 1
        first = text.count("\n", 0, head.start()) + 1
        yield first, text.count("\n", 0, end) + 2 - first


def long_functions(files):
    for name, text in files.items():
        yield from (f"{name}:{line}: {n} lines" for line, n in functions(text) if n > LONGEST_FUNCTION)


def test_functions_and_files_are_short():
    found = list(long_functions(FILES))
    assert not found, f"more than {LONGEST_FUNCTION} lines; two jobs are two functions:\n" + "\n".join(found)
    found = [f"{name}: {n} lines" for name, text in FILES.items() if (n := text.count("\n")) > LONGEST_FILE]
    assert not found, f"more than {LONGEST_FILE} lines; two jobs are two files:\n" + "\n".join(found)
    assert sum(len(list(functions(text))) for text in FILES.values()) > 500, "the rule finds nothing to look at"


def lines(n):
    return "  f(`${a} }`, /[{]/);\n" * n


@pytest.mark.parametrize(
    "shape",
    [
        "function f(a, {{ b }}) {{\n{body}}}\n",
        "function* f(a, {{ b }}) {{\n{body}}}\n",
        "const t = {{\n  *work(a, b) {{\n{body}  }},\n}};\n",
        "const f = (a) => {{\n{body}}};\n",
        "export const t = {{\n  build(stage, say) {{\n{body}  }},\n}};\n",
        "class A {{\n  get most() {{\n{body}  }}\n}}\n",
        "const f = () =>\n  h(\n{commas}  );\n",
        "g(() => {{\n  // {{ a brace in a comment\n{shorter}}});\n",
    ],
)
def test_the_rule_of_sizes_can_fail(shape):
    def text(n):
        return shape.format(body=lines(n), shorter=lines(n - 1), commas="    '{',\n" * (n - 1))

    assert list(long_functions({"a.js": text(38)})) == [], text(38)
    assert len(list(long_functions({"a.js": text(39)}))) == 1
