"""Columns of strings: codes and values, whichever way they were found."""

# ruff: noqa: PD011 -- a band has values; it is no pandas object

from __future__ import annotations

import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe.exceptions import ArcticException
from coldframe.format.table import NAN, NONE, StringColumn
from coldframe.frames import strings
from coldframe.frames.refusals import Place
from coldframe.testing import strategies

PLACE = Place("sym", "column", "a")


def array(values):
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def check(column: StringColumn) -> None:
    """What every column of strings promises."""
    assert pa.types.is_large_string(column.values.type)
    assert column.values.null_count == 0
    if column.codes is None:
        assert column.missing is None or column.missing.dtype == np.int8
    else:
        assert column.missing is None
        assert column.codes.dtype == np.int32
        assert len(column.values.unique()) == len(column.values)
        if len(column.codes):
            assert column.codes.min() >= NAN
            assert column.codes.max() < len(column.values)


def same(left, right) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert a is b if a is None else (a == b or (a != a and b != b)), (a, b)  # noqa: PLR0124


values = st.lists(st.one_of(strategies.strings(), st.sampled_from([None, np.nan])), max_size=30)


@given(values, st.integers(1, 50))
def test_objects_of_few_values(some, times):
    column = strings.from_objects(array(some * times), PLACE)
    check(column)
    same(strings.to_objects(column), some * times)


@given(values, st.sampled_from([True, False]))
def test_every_way_gives_the_same(some, shared):
    """By table, by hashing and one by one; the same objects, or equal ones."""
    many = [value if shared or not isinstance(value, str) else "".join(list(value)) for value in some * 50]
    objects = array(many)
    addresses = strings._addresses(objects)
    assert addresses.tolist() == [id(value) for value in many]
    hashed = strings._by_identity(addresses, objects, 0)
    tabled = strings._by_identity(addresses, objects, 10**6)
    assert hashed[0].tolist() == tabled[0].tolist()
    assert [id(value) for value in hashed[1]] == [id(value) for value in tabled[1]]
    if many:
        plain = strings._plain(objects, PLACE)
        check(plain)
        same(strings.to_objects(plain), many)


@pytest.mark.parametrize("distinct", [3, 5000, 200_000])
def test_long_columns(distinct):
    rng = np.random.default_rng(0)
    pool = array([f"value {i}" for i in range(distinct)] + [None, np.nan, float("nan")])
    objects = pool[rng.integers(0, len(pool), 200_000)]
    column = strings.from_objects(objects, PLACE)
    check(column)
    assert column.codes is not None
    same(strings.to_objects(column), objects)


def test_hardly_any_repeats():
    objects = array([f"value {i}" for i in range(100_000)])
    column = strings.from_objects(objects, PLACE)
    check(column)
    assert column.codes is None
    same(strings.to_objects(column), objects)


@pytest.mark.parametrize("rows", [2000, 200_000])
@pytest.mark.parametrize("missing", [[], [None, np.nan, float("nan"), np.float32("nan")], [None]])
def test_objects_of_their_own_that_repeat(rows, missing):
    rng = np.random.default_rng(0)
    objects = array([f"value {i}" for i in rng.integers(0, 100, rows)])
    if missing:
        objects[::7] = array(missing)[rng.integers(0, len(missing), len(objects[::7]))]
    column = strings.from_objects(objects, PLACE)
    check(column)
    assert len(column.values) == 100
    same(strings.to_objects(column), objects)


@pytest.mark.parametrize("distinct", [3, 20_000])
def test_few_and_many_are_numbered_alike(distinct):
    rng = np.random.default_rng(1)
    numbers = np.sort(rng.integers(0, distinct, 600_000)) // 2 + rng.integers(0, distinct // 2, 600_000)
    objects = array([f"value {i}" for i in numbers])
    objects[299_000:301_000] = None
    objects[:3] = [None, np.nan, "value first"]
    column = strings.from_objects(objects, PLACE)
    check(column)
    codes, uniques = pd.factorize(objects)
    assert column.values.to_pylist() == uniques.tolist()
    assert (np.maximum(column.codes, -1) == codes).all()
    assert column.codes[:3].tolist() == [NONE, NAN, 0]
    assert (column.codes[299_000:301_000] == NONE).all()


@pytest.mark.parametrize("bad", ["half of a pair: \ud800", np.str_("of another kind"), b"value 7", pd.NA, pd.NaT])
@pytest.mark.parametrize("distinct", [100, 6_000])
def test_one_of_many_that_cannot_be_stored(distinct, bad):
    objects = array([f"value {i % distinct}" for i in range(100_000)])
    objects[1234] = bad
    with pytest.raises(ArcticException, match="1234"):
        strings.from_objects(objects, PLACE)


@pytest.mark.parametrize("odd", [1, True, 1.5, b"x", pd.NA, pd.NaT, Decimal("nan"), ["list"]])
def test_one_value_among_objects_of_their_own_that_is_no_string(odd):
    objects = array([f"value {i % 100}" for i in range(5000)])
    objects[4321] = odd
    with pytest.raises(ArcticException, match="4321"):
        strings.from_objects(objects, PLACE)


def test_first_seen_comes_first():
    column = strings.from_objects(array(["b", "a", None, "b", "c"]), PLACE)
    assert column.values.to_pylist() == ["b", "a", "c"]
    assert column.codes.tolist() == [0, 1, NONE, 0, 2]


def test_strided_and_unwritten_memory():
    block = np.empty((3, 4), dtype=object)  # pointers to nothing, which numpy shows as None
    block[0] = "x"
    same(strings.to_objects(strings.from_objects(block.T[1], PLACE)), ["x", None, None])
    same(strings.to_objects(strings.from_objects(np.empty(2, dtype=object), PLACE)), [None, None])


def test_every_kind_of_nan():
    column = strings.from_objects(array(["a", np.float64("nan"), np.float32("nan"), float("nan")]), PLACE)
    assert column.codes.tolist() == [0, NAN, NAN, NAN]


@given(values, st.integers(0, 5), st.booleans())
def test_arrow_and_back(some, skip, chunked):
    arrow = pa.array(some, pa.large_string(), from_pandas=True)
    whole = pa.chunked_array([arrow, arrow]) if chunked else arrow
    column = strings.from_arrow(whole.slice(skip))
    check(column)
    expected = (some * 2 if chunked else some)[skip:]
    same(strings.to_objects(column), [np.nan if value is None else value for value in expected])
    assert strings.to_arrow(column).to_pylist() == whole.slice(skip).to_pylist()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_arrow_without_chunks(kind):
    assert len(strings.from_arrow(pa.chunked_array([], kind))) == 0
    assert strings.from_arrow(pa.chunked_array([["a"]], kind)).values.to_pylist() == ["a"]


@given(values, st.data())
def test_rows_of_a_column(some, data):
    start = data.draw(st.integers(0, len(some)))
    stop = data.draw(st.integers(start, len(some)))
    for column in (
        strings.from_objects(array(some), PLACE),
        strings.from_arrow(pa.array(some, from_pandas=True).cast(pa.large_string())),
    ):
        part = column.rows(start, stop)
        same(strings.to_objects(part), strings.to_objects(column)[start:stop])
        assert strings.to_arrow(part).to_pylist() == strings.to_arrow(column).to_pylist()[start:stop]


def test_results_may_be_written_to():
    for column in (
        StringColumn(pa.array(["a", "b"], pa.large_string())),
        StringColumn(pa.array(["a"], pa.large_string()), np.array([0, NONE], dtype=np.int32)),
        StringColumn(pa.array(["a", ""], pa.large_string()), None, np.array([0, NAN], dtype=np.int8)),
    ):
        strings.to_objects(column)[0] = "changed"
        assert column.values[0].as_py() == "a"


def test_instants_keep_repeats():
    stamps = [pd.Timestamp("2024-01-01"), None, pd.Timestamp("2024-01-02")]
    found = strings.from_objects(array(stamps * 1000), PLACE)
    assert isinstance(found, pd.DatetimeIndex)
    assert found[3000 - 3 :].tolist()[0] == stamps[0]
    assert found.isna().sum() == 1000


@pytest.mark.parametrize("distinct", [1, 3, 13, 14, 15, 62, 63, 1_000, strings._SCATTERED])
def test_every_reference_to_a_gathered_object_is_counted(distinct):
    rows = strings._MANY_ROWS + 5
    values = pa.array(np.arange(distinct), pa.int64()).cast(pa.large_string())
    codes = np.random.default_rng(0).integers(-2, distinct, rows).astype(np.int32)
    codes[-3:] = [NONE, NAN, distinct - 1]
    before = sys.getrefcount(None)
    made = strings.to_objects(StringColumn(values, codes))
    expected = np.array([*map(str, range(distinct)), np.nan, None], dtype=object).take(codes, mode="wrap")
    assert (codes == NONE).sum() > 1
    assert [type(value) for value in made[-3:]] == [type(None), float, str]
    present = codes >= 0
    assert (made[present] == expected[present]).all()
    assert pd.isna(made[~present]).all()
    assert all((value is None) == (code == NONE) for value, code in zip(made[~present], codes[~present], strict=True))
    number = int(codes[0]) if codes[0] >= 0 else distinct - 1
    kept = made[int(np.flatnonzero(codes == number)[0])]
    counted = sys.getrefcount(kept)
    del made
    assert counted - sys.getrefcount(kept) == (codes == number).sum()
    del expected
    assert abs(sys.getrefcount(None) - before) < 100


@pytest.mark.parametrize("code", [0, -1, -2])
@pytest.mark.parametrize("rows", [1, strings._MANY_ROWS])
def test_one_object_for_all_rows(rows, code):
    value = "only one"
    column = StringColumn(pa.array([value, "another"], pa.large_string()), np.full(rows, code, np.int32))
    made = strings.to_objects(column)
    assert len(made) == rows
    assert {type(one) for one in made[[0, -1]]} == {{0: str, -1: type(None), -2: float}[code]}
    if code == 0:
        assert (made == value).all()
        kept = made[0]
        counted = sys.getrefcount(kept)
        del made
        assert counted - sys.getrefcount(kept) == rows


@pytest.mark.parametrize(("distinct", "code", "shift"), [(5, 7, 0), (5, -3, 2), (100, 100, 0), (100, -3, 2)])
def test_a_code_without_an_object_is_refused(distinct, code, shift):
    with pytest.raises(ValueError):
        strings._gather_by_counts(np.empty(distinct, dtype=object), np.array([code], np.int32), shift)
