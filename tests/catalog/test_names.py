"""Names: which are allowed, and that their spelling in keys is unambiguous and reversible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe import config
from coldframe.catalog.names import (
    LONGEST,
    check_library,
    check_snapshot,
    check_symbol,
    decode_symbol,
    encode_symbol,
    is_library,
)
from coldframe.exceptions import ErrorCode, UserInputException

ALLOWED = "".join(chr(c) for c in range(32, 127) if chr(c) not in "*<>")

any_name = st.text(min_size=1, max_size=400)
awkward = st.text(alphabet=".~%/ aé\x00\ud800", min_size=1, max_size=350)
allowed_name = st.text(alphabet=ALLOWED, min_size=1, max_size=254)


@given(st.one_of(any_name, awkward, allowed_name))
def test_spelling_is_safe_and_short(name: str) -> None:
    spelled = encode_symbol(name)
    assert 0 < len(spelled) <= LONGEST
    assert all(32 <= ord(c) < 127 and c != "/" for c in spelled)
    assert not spelled.startswith(".")


@given(st.one_of(any_name, awkward, allowed_name))
def test_spelling_is_reversible_or_says_it_is_not(name: str) -> None:
    assert decode_symbol(encode_symbol(name)) in (name, None)


@given(st.one_of(awkward.filter(lambda n: len(n) < 33), allowed_name.filter(lambda n: len(n) < 100)))
def test_short_names_are_always_reversible(name: str) -> None:
    assert decode_symbol(encode_symbol(name)) == name


@given(st.lists(st.one_of(awkward, allowed_name), min_size=2, max_size=20, unique=True))
def test_different_names_are_spelled_differently(names: list[str]) -> None:
    assert len({encode_symbol(n) for n in names}) == len(names)


def test_a_name_spelled_like_a_cut_one_is_not_taken_for_it() -> None:
    cut = encode_symbol("x" * 195 + "é" * 40)
    assert decode_symbol(cut) is None
    assert encode_symbol(cut) != cut
    assert decode_symbol(encode_symbol(cut)) == cut


def test_long_names_that_differ_at_the_end_are_spelled_differently() -> None:
    one, two = encode_symbol("%" * 253 + "a"), encode_symbol("%" * 253 + "b")
    assert one != two
    assert one[:200] == two[:200]


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("prices", "prices"),
        ("a b", "a b"),
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        (".", "%2E"),
        ("..", "%2E."),
        (".hidden", "%2Ehidden"),
        ("a.b", "a.b"),
        ("~", "%7E"),
        ("ü", "%C3%BC"),
        ("\n", "%0A"),
    ],
)
def test_spellings_are_fixed(name: str, spelled: str) -> None:
    # These are stored: a change of any of them loses symbols.
    assert encode_symbol(name) == spelled
    assert decode_symbol(spelled) == name


@given(allowed_name)
def test_allowed_names_are_allowed(name: str) -> None:
    assert check_symbol(name) == name
    assert check_snapshot(name) == name


@pytest.mark.parametrize("check", [check_symbol, check_snapshot, check_library])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", ErrorCode.E_EMPTY_NAME),
        ("x" * 255, ErrorCode.E_NAME_TOO_LONG),
        ("a*", ErrorCode.E_INVALID_CHAR_IN_NAME),
        ("<a", ErrorCode.E_INVALID_CHAR_IN_NAME),
        ("a>b", ErrorCode.E_INVALID_CHAR_IN_NAME),
        ("a\n", ErrorCode.E_INVALID_CHAR_IN_NAME),
        ("a\x7f", ErrorCode.E_INVALID_CHAR_IN_NAME),
        ("é", ErrorCode.E_INVALID_CHAR_IN_NAME),
    ],
)
def test_bad_names(check, name: str, code: ErrorCode) -> None:
    with pytest.raises(UserInputException) as caught:
        check(name)
    assert caught.value.code is code


@pytest.mark.parametrize("check", [check_symbol, check_snapshot, check_library])
@pytest.mark.parametrize("name", [3, None, b"a", ["a"]])
def test_names_must_be_strings(check, name: object) -> None:
    with pytest.raises(TypeError, match="must be a str"):
        check(name)


def test_reading_by_something_that_is_no_string_says_so() -> None:
    for name in (3, None, b"a"):
        with pytest.raises(TypeError, match="must be a str"):
            encode_symbol(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a..b", ".a", "a.", ".", "/a", "a./b", "a/", "a//b"])
def test_bad_library_names(name: str) -> None:
    assert not is_library(name)
    with pytest.raises(UserInputException):
        check_library(name)


@pytest.mark.parametrize("name", ["a", "a.b.c", "team/lib", "a b", "a&b", "x" * 254])
def test_good_library_names(name: str) -> None:
    assert is_library(name)
    assert check_library(name) == name


def test_the_check_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(config._from_code, "versionstore_nostrictsymbolcheck", 1)
    assert check_symbol("é*") == "é*"
    assert check_snapshot("<>") == "<>"
    with pytest.raises(UserInputException):
        check_symbol("")
    with pytest.raises(UserInputException):
        check_library("é*")
