"""What the README shows is run, and what it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run_one_after_the_other(capsys):
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "(8, 6, 14, 14) (6, 1, 5, 5)" in printed and "61,706" in printed


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_lead_to_files(target):
    assert (ROOT / target).exists()


@pytest.mark.parametrize("script", sorted(set(re.findall(r"\b((?:examples|benchmarks)/[\w/]+\.py)", TEXT))))
def test_scripts_exist(script):
    assert (ROOT / script).is_file()


@pytest.mark.parametrize("module", sorted(set(re.findall(r"-m (tinycnn[.\w]*)", TEXT))))
def test_modules_exist(module):
    path = ROOT.joinpath(*module.split("."))
    assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
