"""Connection strings: schemes, options of lmdb://, and errors that say what would be right."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe.exceptions import LmdbOptionsError
from coldframe.stores.open import open_storage
from coldframe.stores.uri import SCHEMES, LmdbLocation, lmdb_location, scheme_of


@pytest.mark.parametrize(
    "uri", ["x://a", "LMDB://a", "Mem://", "", "lmdb:/a", "/a/path", "lmdb", " lmdb://a", "mongodb://h"]
)
def test_an_unknown_scheme_names_the_valid_ones(uri):
    with pytest.raises(ValueError, match=r"lmdb://.*mem://.*s3://.*azure://"):
        scheme_of(uri)
    with pytest.raises(ValueError, match="lmdb://"):
        open_storage(uri)


def test_an_unknown_scheme_does_not_repeat_what_may_be_secret():
    with pytest.raises(ValueError) as caught:
        scheme_of("s4://host:bucket?secret=hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_uri_is_a_string():
    with pytest.raises(TypeError, match="connection string"):
        open_storage(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_known_schemes(scheme):
    assert scheme_of(f"{scheme}://whatever") == scheme


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("lmdb://a/b", LmdbLocation("a/b")),
        ("lmdb:///a b/ü%20", LmdbLocation("/a b/ü%20")),
        ("lmdb://a?", LmdbLocation("a")),
        ("lmdb://a?map_size=1KB", LmdbLocation("a", 1000)),
        ("lmdb://a?map_size=1MB", LmdbLocation("a", 10**6)),
        ("lmdb://a?map_size=25GB&", LmdbLocation("a", 25 * 10**9)),
        ("lmdb://a?map_size=003TB", LmdbLocation("a", 3 * 10**12)),
        ("lmdb://a?map_size=1MB;map_size=2MB", LmdbLocation("a", 2 * 10**6)),
    ],
)
def test_lmdb(uri, location):
    assert lmdb_location(uri) == location


@pytest.mark.parametrize(
    "size", ["1mb", "0MB", "10", "1.5GB", "-1MB", "", "MB", "1 MB", "1PB", "\u0661MB", "9" * 18 + "TB", "1MiB"]
)
def test_a_bad_map_size_says_what_is_right(size):
    with pytest.raises(LmdbOptionsError, match=r"map_size=.*positive whole number.*KB, MB, GB and TB"):
        lmdb_location(f"lmdb://a?map_size={size}")


def test_an_unknown_option_names_the_valid_ones():
    with pytest.raises(LmdbOptionsError, match=r"unknown option 'mapsize'.*map_size"):
        open_storage("lmdb://a?mapsize=1MB")


@pytest.mark.parametrize(
    "uri", ["lmdb://a?map_size", "lmdb://a?map_size=1MB&x", "lmdb://?map_size=1MB", "lmdb://", "lmdb://a\0b"]
)
def test_malformed(uri):
    with pytest.raises(LmdbOptionsError):
        open_storage(uri)


@given(st.text())
def test_anything_is_a_location_or_a_typed_error(text):
    try:
        location = lmdb_location("lmdb://" + text)
    except LmdbOptionsError:
        return
    assert location.path
    assert location.path == text.partition("?")[0]


def test_nothing_is_imported_until_it_is_used():
    code = "import sys, coldframe.stores.open; sys.exit(any(m in sys.modules for m in ('lmdb', 'obstore', 'boto3')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
