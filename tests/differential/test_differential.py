"""Starts the comparison with ArcticDB in the environment that has both libraries, and reads its report."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
PYTHON = Path(os.environ.get("COLDFRAME_ARCTICDB_PYTHON", ROOT / ".venv-arcticdb" / "bin" / "python"))
REQUIRED = bool(os.environ.get("COLDFRAME_REQUIRE_ARCTICDB"))
CHUNKS = 4
SEQUENCES = 100  # in each chunk, for every commit


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT / "src")])}
    return subprocess.run(
        [str(PYTHON), *arguments], capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )


@pytest.fixture(scope="session")
def both() -> None:
    """The environment with both libraries; a reason to skip where there is none."""
    if PYTHON.exists():
        tried = run("-c", "import arcticdb, coldframe")
        if tried.returncode == 0:
            return
        reason = f"{PYTHON.parent.parent.name}: {tried.stderr.strip().splitlines()[-1]}"
    else:
        reason = "no .venv-arcticdb: `make arcticdb-env` creates it where ArcticDB can be installed"
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def report(*arguments: str) -> dict[str, Any]:
    done = run("-m", "differential", *arguments)
    assert done.stdout, f"no report:\n{done.stderr[-3000:]}"
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_sequences(both: None, runs: Callable[[int], int], chunk: int) -> None:
    sequences = runs(SEQUENCES)
    first = chunk * 1_000_000
    made = report(str(first), str(first + sequences))
    assert made["differences"] == [], "\n\n".join(made["differences"])
    assert made["operations"] > sequences * 20


def test_single_operations(both: None) -> None:
    """Each kind of value and argument by itself, on a library that holds just what it needs."""
    made = report("singles")
    assert made["differences"] == [], "\n\n".join(made["differences"])
    assert made["agreeing"] == [], "said to differ, and does not"


def test_every_accepted_difference_is_documented(both: None) -> None:
    headings = {
        line.lstrip("# ").strip()
        for line in (ROOT / "docs" / "differences.md").read_text().splitlines()
        if line[:1] == "#"
    }
    done = run("-c", "from differential.accepted import headings; print(*headings(), sep='\\n')")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split("\n")) - {""} - headings == set()
