"""Patterns on strings against Python's, with characters beyond ASCII and line ends; plain and coded columns."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col

TEXTS = [
    "Straße",
    "ß",
    "a\n",
    "a\nb",
    "a",
    "",
    "ÀÉ",
    "É1",
    "x\u00a0",
    "K",
    "aab",
    "a{,3}b",
    "\u0661",
    "aé",
    None,
    "ß ß",
]
PATTERNS = [r"^\w+$", r"\s", r"\bß", r"a$", r"^b", r"^.$", r"(?i)é", r"(?i)k", r"a{,3}b", r"\d", r"a.b", r"\W"]
PATTERNS += [r"(?m)^b", r"(?s)a.b", r"[^a]", r"a|", r"\S$", r"\Bb", r"(?<=a)b", r"(a)\1", r"(?<=\s)ß", ""]


def _kept(ask, condition, repeated):
    # Few distinct strings in many rows are coded, others are not.
    frame = pd.DataFrame({"s": np.array(TEXTS * (20 if repeated else 1), dtype=object)})
    return ask(frame, QueryBuilder()[condition], size=len(frame))["s"].tolist()


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_contains_as_in_python(ask, pattern, repeated):
    wanted = [text for text in TEXTS if text is not None and re.search(pattern, text)]
    assert _kept(ask, col("s").str.contains(pattern), repeated) == wanted * (20 if repeated else 1)


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_regex_match_knows_classes_of_ascii(ask, pattern, repeated):
    flags = re.ASCII if re.search(r"\\[wWsSdDbB]", pattern) else 0
    wanted = [text for text in TEXTS if text is not None and re.search(pattern, text, flags)]
    assert _kept(ask, col("s").regex_match(pattern), repeated) == wanted * (20 if repeated else 1)


def test_the_two_are_told_apart():
    assert QueryBuilder()[col("s").str.contains("a")] != QueryBuilder()[col("s").regex_match("a")]
    assert str(col("s").regex_match("a")) == '(Column["s"] REGEX_MATCH Regex(a))'
