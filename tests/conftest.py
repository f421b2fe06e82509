"""How much is tested, and what every test may ask for.

``COLDFRAME_TESTS`` chooses one of three sizes:

========  ==========================================================================================
quick     the default: tests marked `slow` are skipped, properties get few examples
ci        what `.ci/run` uses: everything, long soaks in the size meant for every commit; repeatable
soak      everything, many times over, with new random seeds at each run
========  ==========================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SIZE = os.environ.get("COLDFRAME_TESTS", "quick")
EXAMPLES = {"quick": 50, "ci": 200, "soak": 5000}
SHARE = {"quick": 0.02, "ci": 1.0, "soak": 20.0}

# No deadlines: the first call of a function may import, and other work may have the cores. The examples of a
# property are many and small, so a fixture that is shared by all of them is what is wanted.
for _name, _count in EXAMPLES.items():
    settings.register_profile(
        _name,
        max_examples=_count,
        deadline=None,
        derandomize=_name == "ci",
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def pytest_configure(config: pytest.Config) -> None:
    if SIZE not in EXAMPLES:
        message = f"COLDFRAME_TESTS={SIZE!r}: choose one of {', '.join(EXAMPLES)}"
        raise pytest.UsageError(message)
    settings.load_profile(SIZE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if SIZE != "quick":
        return
    skip = pytest.mark.skip(reason="slow: run with COLDFRAME_TESTS=ci")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def runs() -> Callable[[int], int]:
    """`runs(n)`: how many rounds of a soak this session should make, where n is the number meant for every commit."""
    return lambda meant: max(1, int(meant * SHARE[SIZE]))


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return Path(__file__).parent.parent


@pytest.fixture(params=["mem", "lmdb"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A connection string to an empty storage, of each embedded kind in turn."""
    return "mem://" if request.param == "mem" else f"lmdb://{tmp_path / 'storage'}"
