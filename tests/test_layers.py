"""The architecture, enforced: who may import whom, how large things may grow, and that files say what they are."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "coldframe"
MODULES = sorted(PACKAGE.rglob("*.py"))

# What each part of the package may import besides itself. A part is a folder or a module of `coldframe/`; those that
# are not named here are the API, which stands on top. Nothing but the API and the tests may use `testing`.
BOTTOM = {"cached", "exceptions", "parallel", "config", "logs", "memory", "quota", "workers"}
MAY_IMPORT: dict[str, set[str]] = {
    "cached": set(),
    "exceptions": set(),
    "parallel": {"config", "quota", "workers"},
    "config": {"logs"},
    "logs": set(),
    "memory": set(),
    "quota": set(),
    "workers": set(),
    "stores": BOTTOM,
    "format": BOTTOM,
    "catalog": BOTTOM | {"stores", "format"},
    "frames": BOTTOM | {"format"},
    "query": BOTTOM | {"format", "frames"},
    "operations": BOTTOM | {"stores", "format", "catalog", "frames", "query"},
    "testing": BOTTOM | {"stores", "format", "frames"},
}

FILE_LINES = 600
FUNCTION_LINES = 60


def part_of(module: str) -> str:
    """`coldframe.format.blocks` -> `format`; `coldframe` itself -> ``."""
    return module.split(".")[1] if "." in module else ""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.AST, package: str) -> Iterator[tuple[str, int]]:
    """Every `coldframe` module named in any import, wherever it stands: top level, function or TYPE_CHECKING."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "coldframe":
                    yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            if base == "coldframe":  # `from coldframe import format` names the part, not the package
                yield from ((f"coldframe.{alias.name}", node.lineno) for alias in node.names)
            elif base.split(".")[0] == "coldframe":
                yield base, node.lineno
        elif isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func)
            target = node.args[0]
            by_name = called.endswith(("import_module", "__import__")) and isinstance(target, ast.Constant)
            if by_name and str(target.value).split(".")[0] == "coldframe":
                yield str(target.value), node.lineno


def offences(module: str, text: str, *, is_package: bool = False) -> list[str]:
    part = part_of(module)
    if part not in MAY_IMPORT:
        return []
    package = module if is_package else module.rpartition(".")[0]
    allowed = MAY_IMPORT[part] | {part}
    return [
        f"line {line}: {module} ({part}) imports {name}"
        for name, line in imported(ast.parse(text), package)
        if part_of(name) not in allowed
    ]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_downwards(path: Path) -> None:
    assert offences(module_name(path), path.read_text(), is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("coldframe.format.blocks", "from coldframe.stores.base import Store"),
        ("coldframe.stores.lmdb", "import coldframe.format.schema"),
        ("coldframe.catalog.heads", "from coldframe import frames"),
        ("coldframe.frames.meta", "def f():\n    from coldframe.catalog.heads import Head"),
        ("coldframe.query.plan", "if TYPE_CHECKING:\n    from coldframe.stores import base"),
        ("coldframe.operations.read", "from ..library import Library"),
        ("coldframe.operations.read", "from coldframe.testing.faults import FaultStore"),
        ("coldframe.parallel", "from . import exceptions"),
        ("coldframe.frames.polars", "importlib.import_module('coldframe.library')"),
        ("coldframe.format.table", "from coldframe import Arctic"),
    ],
)
def test_the_rule_sees_every_kind_of_import(module: str, text: str) -> None:
    assert len(offences(module, text)) == 1


def test_every_folder_has_its_place() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders - set(MAY_IMPORT) <= {"cli", "integrations"}, "a new folder needs a place among the layers"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_module_says_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, "a module starts with a docstring that says what it is"
    first = docstring.splitlines()[0]
    assert len(first.split()) >= 4, f"says too little: {first!r}"
    assert first.rstrip()[-1] in ".:?!", f"the first line of a module is a sentence: {first!r}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_nothing_grows_too_large(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= FILE_LINES
    long = [
        f"{node.name} has {lines} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := lines_of_code(node)) > FUNCTION_LINES
    ]
    assert long == []


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the end: documentation and signature do not count."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_init_modules_only_hand_names_on() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        defined = [
            type(node).__name__
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.ClassDef | ast.For | ast.While | ast.With)
        ]
        assert defined == [], f"{module_name(path)} defines things; __init__.py only hands names on"


# Spelled in pieces, so that this file does not name what it forbids.
PIECES = [("/wo", "rk/"), ("/fa", "rm/"), (".lib", "rary/"), ("/ro", "ot/")]
FORBIDDEN = re.compile("|".join(re.escape(first + second) for first, second in PIECES))


def tracked_files() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_file_speaks_of_the_machine_it_was_made_on() -> None:
    found = []
    for path in tracked_files():
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1):
            if FORBIDDEN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []
