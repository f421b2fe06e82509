"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules_with_examples() -> list[str]:
    paths = [path for path in sorted((SOURCE / "coldframe").rglob("*.py")) if ">>> " in path.read_text()]
    return [".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for path in paths]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # an example may open lmdb://somewhere
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert tried, f"{name} has '>>>' but no example that is run"
    assert not failed
