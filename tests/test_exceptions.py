"""The tree of errors: every one has a code, in its text too, and survives a pickle."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from coldframe import exceptions
from coldframe.exceptions import ArcticException, ErrorCode, get_error_category

TREE = [c for _, c in inspect.getmembers(exceptions, inspect.isclass) if issubclass(c, ArcticException)]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_has_a_code(kind):
    error = kind("what happened")
    assert isinstance(error.code, ErrorCode)
    assert str(error) == f"{error.code.name} what happened"
    assert get_error_category(error.code)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code) == (kind, str(error), error.code)


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_a_code_of_its_own_comes_before_that_of_the_class(kind):
    error = kind("what happened", code=ErrorCode.E_NO_SUCH_VERSION)
    assert error.code is ErrorCode.E_NO_SUCH_VERSION
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.code) == ("E_NO_SUCH_VERSION what happened", error.code)


def test_the_tree_in_the_documentation_is_the_tree():
    drawn = re.findall(r"[├└]── (\w+)|^    (ArcticException)\b", exceptions.__doc__ or "", re.MULTILINE)
    assert {name or root for name, root in drawn} == {kind.__name__ for kind in TREE}
