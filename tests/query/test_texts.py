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


WORDS = pd.Series(["a", "b", None, "ab", np.nan, "b", "", "a"] * 40, dtype=object)
WORDS_KEPT = {
    "equal": (col("s") == "b", lambda s, i: s == "b"),
    "turned round": ("b" == col("s"), lambda s, i: s == "b"),  # noqa: SIM300 -- the other way round is the case
    "no such string": (col("s") == "z", lambda s, i: s == "z"),
    "the empty one": (col("s") == "", lambda s, i: s == ""),
    "in one": (col("s").isin(["ab"]), lambda s, i: s == "ab"),
    "in one that is there": (col("s").isin(["ab", "z"]), lambda s, i: s == "ab"),
    "in two": (col("s").isin(["ab", "b"]), lambda s, i: s.isin(["ab", "b"])),
    "ends": (col("s").str.endswith("ab"), lambda s, i: s == "ab"),
    "and": ((col("s") == "b") & (col("i") > 50), lambda s, i: (s == "b") & (i > 50)),
    "and, behind": ((col("i") > 50) & (col("s") == "b"), lambda s, i: (s == "b") & (i > 50)),
    "and none": ((col("s") == "b") & (col("s") == "a"), lambda s, i: s == "z"),
    "or": ((col("s") == "b") | (col("i") > 50), lambda s, i: (s == "b") | (i > 50)),
    "xor": ((col("s") == "b") ^ (col("i") > 50), lambda s, i: (s == "b") ^ (i > 50)),
    "not": (~(col("s") == "b"), lambda s, i: s != "b"),
    "not not": (~~(col("s") == "b"), lambda s, i: s == "b"),
    "other": (col("s") != "b", lambda s, i: s != "b"),
    "not in": (col("s").isnotin(["b"]), lambda s, i: s != "b"),
    "cut": (col("s").str.slice(0, 1) == "a", lambda s, i: s.isin(["a", "ab"])),
    "changed": (col("s").str.upper() == "B", lambda s, i: s == "b"),
}


@pytest.mark.parametrize("coded", [True, False])
@pytest.mark.parametrize("size", [3, 64, 1000])
@pytest.mark.parametrize("name", WORDS_KEPT)
def test_what_a_condition_leaves_of_strings(ask, name, size, coded):
    condition, kept = WORDS_KEPT[name]
    # Objects have codes, strings of pandas' own type have not.
    frame = pd.DataFrame({"s": WORDS if coded else WORDS.astype("str"), "i": np.arange(len(WORDS)) % 100})
    wanted = frame[kept(frame["s"], frame["i"])]
    pd.testing.assert_frame_equal(ask(frame, QueryBuilder()[condition], size=size), wanted.reset_index(drop=True))
    # Where a column is computed from it, or is let go.
    doubled = ask(frame, QueryBuilder()[condition].apply("n", col("s").str.len() * 2).drop("s"), size=size)
    assert doubled["n"].dropna().tolist() == [2 * len(text) for text in wanted["s"] if isinstance(text, str)]
    grouped = ask(frame, QueryBuilder()[condition].groupby("s").agg({"i": "sum"}), size=size)
    pd.testing.assert_series_equal(grouped["i"], wanted.groupby("s")["i"].sum(), check_index_type=False)


def test_conditions_on_a_computed_column_of_strings(ask):
    frame = pd.DataFrame({"s": WORDS, "i": np.arange(len(WORDS))})
    query = QueryBuilder().apply("big", col("s").str.upper())[col("big") == "AB"][col("i") > 100]
    wanted = frame[(frame["s"] == "ab") & (frame["i"] > 100)].assign(big="AB").reset_index(drop=True)
    pd.testing.assert_frame_equal(ask(frame, query, size=50), wanted, check_dtype=False)


def test_conditions_where_slices_lack_the_column(ask):
    frame = pd.DataFrame({"i": np.arange(len(WORDS)), "s": WORDS})
    made = ask(frame, QueryBuilder()[col("s") == "b"], size=80, lacking={0: (1,), 2: (1,)})
    there = (frame["i"] // 80).isin([1, 3])
    pd.testing.assert_frame_equal(made, frame[there & (frame["s"] == "b")].reset_index(drop=True))
