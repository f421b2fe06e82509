"""What a schema becomes when rows are added: every kind of index and column, static and dynamic."""

# ruff: noqa: PD011 -- a band has values; it is no pandas object

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe.exceptions import (
    ArcticException,
    ErrorCode,
    InternalException,
    NormalizationException,
    SchemaException,
    StreamDescriptorMismatch,
)
from coldframe.frames.evolve import check_dynamic, conform, evolve, frame_meta, without_freq
from coldframe.frames.pandas_in import normalize
from coldframe.frames.pandas_out import denormalize
from coldframe.frames.pickled import pickle_table
from coldframe.testing import strategies


def table(data):
    return normalize(data, symbol="s")


def grown(old, new, *, dynamic=False, follows=None):
    before, after = table(old), table(new)
    return evolve(before.schema, before.rows, after.schema, after.rows, dynamic=dynamic, symbol="sym", follows=follows)


def timed(start="2024-01-01", rows=2, unit="ns", tz=None, name=None, **columns):
    index = pd.date_range(start, periods=rows, unit=unit, tz=tz, name=name, freq="D")
    return pd.DataFrame(columns or {"a": range(rows)}, index=index._with_freq(None))


def frame(index, rows=2):
    return pd.DataFrame({"a": range(rows)}, index=index)


def typed(dtype, rows=2):
    values = pd.Series([None] * rows, dtype=object) if dtype == "none" else pd.Series([0] * rows).astype(dtype)
    return pd.DataFrame({"a": values})


def after(one, rows=2):
    """The same columns, continuing a RangeIndex of `rows`."""
    return one.set_axis(pd.RangeIndex(rows, rows + len(one)), axis=0)


# --- the same data


@given(strategies.append_chunks(strategies.frames()), st.booleans())
def test_pieces_of_a_frame_make_its_schema(pieces, dynamic):
    whole, chunks = pieces
    if dynamic and not whole.columns.is_unique:
        return
    expected = table(whole).schema
    schema, rows = table(chunks[0]).schema, len(chunks[0])
    for chunk in chunks[1:]:
        new = table(chunk)
        schema = evolve(schema, rows, new.schema, new.rows, dynamic=dynamic, symbol="s")
        made = conform(new, schema)
        assert made.schema == schema
        rows += new.rows
    if isinstance(whole.index, pd.MultiIndex):
        return  # whether a level has missing values differs by piece
    assert without_freq(schema).names == expected.names
    assert schema.kinds == expected.kinds
    assert [t.kind for t in schema.types] == [t.kind for t in expected.types]


@given(strategies.time_frames(min_rows=1))
def test_the_same_schema_is_handed_back(data):
    schema = without_freq(table(data).schema)
    other = without_freq(table(data.copy()).schema)
    assert evolve(schema, 5, other, 5, dynamic=False, symbol="s") is schema


# --- kinds of objects


def test_kinds_of_objects():
    series = pd.Series([1], name="a")
    with pytest.raises(NormalizationException, match=r"'sym' holds a DataFrame, the new data is a Series"):
        grown(series.to_frame(), series)
    with pytest.raises(NormalizationException, match="holds a Series"):
        grown(series, series.to_frame())
    pickled = pickle_table(1, symbol="s")
    with pytest.raises(InternalException, match="pickled"):
        evolve(pickled.schema, 1, table(series).schema, 1, dynamic=False, symbol="sym")


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("old", "new"), [("a", "b"), (None, ""), (None, "a"), (1, True), (1, "1"), (1, 1.0)])
def test_names_of_series(old, new, dynamic):
    with pytest.raises(SchemaException if dynamic else StreamDescriptorMismatch, match="Series named"):
        grown(pd.Series([1], name=old), pd.Series([1], name=new), dynamic=dynamic)


# --- the index


@pytest.mark.parametrize(
    ("old", "rows", "new", "fits"),
    [
        (pd.RangeIndex(2), 2, pd.RangeIndex(2, 4), True),
        (pd.RangeIndex(2), 2, pd.RangeIndex(2), True),  # the default one goes on anything of step 1
        (pd.RangeIndex(5, 8), 3, pd.RangeIndex(2), True),
        (pd.RangeIndex(5, 8), 3, pd.RangeIndex(8, 9), True),
        (pd.RangeIndex(5, 8), 3, pd.RangeIndex(9, 10), False),
        (pd.RangeIndex(5, 8), 3, pd.RangeIndex(5, 8), False),
        (pd.RangeIndex(0, 6, 2), 3, pd.RangeIndex(6, 8, 2), True),
        (pd.RangeIndex(0, 6, 2), 3, pd.RangeIndex(2), False),
        (pd.RangeIndex(0, 6, 2), 3, pd.RangeIndex(6, 7), False),
        (pd.RangeIndex(10, 4, -2), 3, pd.RangeIndex(4, 2, -2), True),
        (pd.RangeIndex(10, 4, -2), 3, pd.RangeIndex(3, 1, -2), False),
    ],
)
def test_ranges(old, rows, new, fits):
    before, now = frame(old, rows), frame(new, len(new))
    if not fits:
        with pytest.raises(NormalizationException, match="does not continue") as caught:
            grown(before, now)
        assert caught.value.code is ErrorCode.E_INCOMPATIBLE_INDEX
        assert str(old.stop) in str(caught.value)
        return
    meta = frame_meta(grown(before, now))
    assert (meta.start, meta.step) == (old.start, old.step)


def test_a_range_keeps_its_name():
    assert frame_meta(grown(frame(pd.RangeIndex(2, name="a")), frame(pd.RangeIndex(2, 4, name="b")))).index_name == "a"
    assert frame_meta(grown(frame(pd.RangeIndex(2, name="a")), frame(pd.RangeIndex(2, 4)))).index_name == "a"


KINDS = {
    "range": pd.RangeIndex(2),
    "int": pd.Index([5, 6]),
    "uint": pd.Index([5, 6], dtype="uint64"),
    "float": pd.Index([0.5, 1.5]),
    "bool": pd.Index([True, False]),
    "string": pd.Index(["a", "b"]),
    "time": pd.date_range("2024", periods=2),
    "duration": pd.timedelta_range("1s", periods=2),
    "multi": pd.MultiIndex.from_arrays([[1, 2], [3, 4]]),
    "multi3": pd.MultiIndex.from_arrays([[1, 2], [3, 4], [5, 6]]),
    "multi time": pd.MultiIndex.from_arrays([pd.date_range("2024", periods=2), [3, 4]]),
}


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(KINDS, 2)))
def test_kinds_of_indexes_do_not_mix(old, new, dynamic):
    with pytest.raises(NormalizationException, match="'sym' is indexed by") as caught:
        grown(frame(KINDS[old]), frame(KINDS[new]), dynamic=dynamic)
    assert caught.value.code is ErrorCode.E_INCOMPATIBLE_INDEX
    # Without rows nothing is indexed yet, and no rows fit everything.
    assert index_of(grown(frame(KINDS[old])[:0], frame(KINDS[new]), dynamic=dynamic)) == index_of(
        table(frame(KINDS[new])).schema
    )
    assert index_of(grown(frame(KINDS[old]), frame(KINDS[new])[:0], dynamic=dynamic)) == index_of(
        table(frame(KINDS[old])).schema
    )


def index_of(schema):
    meta = frame_meta(schema)
    return meta.index, [str(schema.dtype(level)) for level in range(schema.index_columns)]


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("old", "new"), [("t", "u"), (None, "t"), ("t", None), (None, ""), (1, "1")])
def test_names_of_indexes(old, new, dynamic):
    with pytest.raises(StreamDescriptorMismatch, match=r"named .* that of the new data"):
        grown(timed(name=old), timed("2024-02-01", name=new), dynamic=dynamic)


def test_names_of_levels():
    one = pd.MultiIndex.from_arrays([[1], [2]], names=["a", None])
    other = pd.MultiIndex.from_arrays([[1], [2]], names=["a", "b"])
    with pytest.raises(StreamDescriptorMismatch, match=r"\['a', None\].*\['a', 'b'\]"):
        grown(frame(one, 1), frame(other, 1))


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("old", "new"), [(None, "UTC"), ("UTC", None), ("UTC", "Europe/Paris"), ("+05:30", "UTC")])
def test_zones_of_indexes(old, new, dynamic):
    with pytest.raises(StreamDescriptorMismatch, match="tz_convert") as caught:
        grown(timed(tz=old), timed(tz=new), dynamic=dynamic)
    assert (old or "none") in str(caught.value)
    assert (new or "none") in str(caught.value)


def test_types_of_indexes():
    with pytest.raises(StreamDescriptorMismatch, match=r"level 0 of the index is of type int64.*int8"):
        grown(frame(pd.Index([1, 2])), frame(pd.Index([1, 2], dtype="int8")))
    schema = grown(frame(pd.Index([1, 2], dtype="int8")), frame(pd.Index([1, 2])), dynamic=True)
    assert str(schema.dtype(0)) == "int64"


# --- static columns


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({"a": [1]}, ["- 'b' float64"]),
        ({"a": [1], "b": [0.5], "c": ["x"]}, ["+ 'c' string"]),
        ({"a": [1], "c": [0.5]}, ["- 'b' float64", "+ 'c' float64"]),
        ({"b": [0.5], "a": [1]}, ["another order"]),
        ({"a": [1.5], "b": [0.5]}, ["column 'a' is of type int64, in the new data of type float64"]),
        ({"a": np.array([1], dtype="int32"), "b": [0.5]}, ["'a'", "int64", "int32"]),
        ({"a": ["x"], "b": [True]}, ["'a' is of type int64, in the new data of type string", "'b'", "bool"]),
    ],
)
def test_static_columns(new, words):
    old = pd.DataFrame({"a": [1, 2], "b": [1.5, 2.5]})
    with pytest.raises(StreamDescriptorMismatch, match="'sym'") as caught:
        grown(old, after(pd.DataFrame(new)))
    for word in words:
        assert word in str(caught.value)


def test_static_names_by_type():
    for old, new in [(1, "1"), (1, 1.0), (1, True), (0, False), (None, "None")]:
        one, other = pd.DataFrame([[1]]), pd.DataFrame([[1]], index=pd.RangeIndex(1, 2))
        one.columns, other.columns = pd.Index([old], dtype=object), pd.Index([new], dtype=object)
        with pytest.raises(StreamDescriptorMismatch):
            grown(one, other)


def test_static_duplicates():
    one = pd.DataFrame([[1, 2.5]], columns=["a", "a"])
    assert grown(one, after(one, 1)).names == ["a", "a"]
    with pytest.raises(StreamDescriptorMismatch):
        grown(one, after(one.iloc[:, ::-1], 1))


def test_missing_strings_are_strings():
    for gone in (None, np.nan):
        old = pd.DataFrame({"a": pd.Series([gone, gone], dtype=object)})
        grown(old, after(pd.DataFrame({"a": ["x"]})))
        with pytest.raises(StreamDescriptorMismatch):
            grown(old, after(pd.DataFrame({"a": [0.5]})))


def test_flavours_of_strings():
    some = pd.DataFrame({"a": pd.Series(["x", None], dtype=object)})
    text = pd.DataFrame({"a": pd.Series(["x", None], dtype=strategies._str_dtype())})
    assert frame_meta(grown(some, after(text))).flavour(0) == 0
    # Objects have None: as strings of `str` it would come back as NaN.
    assert frame_meta(grown(text, after(some))).flavour(0) == 0
    assert frame_meta(grown(text, after(text))).flavour(0) != 0
    assert frame_meta(grown(text[:0], after(some, 0))).flavour(0) == 0
    assert frame_meta(grown(text, after(some[:0]))).flavour(0) != 0


# --- dynamic columns


def numbers():
    yield from itertools.product([*strategies.INTEGERS, "float32", "float64"], repeat=2)


def expected_type(old, new):
    """The table of the specification, spelled another way."""
    one, other = np.dtype(old), np.dtype(new)
    if {one.kind, other.kind} == {"i", "u"} and np.dtype("uint64") in (one, other):
        return None
    return str(np.promote_types(one, other))


@pytest.mark.parametrize(("old", "new"), list(numbers()))
def test_promotion_of_numbers(old, new):
    wanted = expected_type(old, new)
    if wanted is None:
        with pytest.raises(SchemaException, match="'a'"):
            grown(typed(old), after(typed(new)), dynamic=True)
        return
    assert str(grown(typed(old), after(typed(new)), dynamic=True).dtype(0)) == wanted


def test_some_promotions_by_hand():
    for old, new, wanted in [
        ("int8", "uint8", "int16"),
        ("int16", "uint8", "int16"),
        ("uint32", "int32", "int64"),
        ("int16", "float32", "float32"),
        ("uint16", "float32", "float32"),
        ("int32", "float32", "float64"),
        ("float32", "float64", "float64"),
        ("int64", "float64", "float64"),
        ("float16", "int8", "float16"),
        ("float16", "int16", "float32"),
    ]:
        assert str(grown(typed(old), after(typed(new)), dynamic=True).dtype(0)) == wanted


OTHERS = ["bool", "none", "datetime64[ns]", "timedelta64[ns]", "category", "int64"]


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(OTHERS, 2)))
def test_other_types_do_not_mix(old, new):
    with pytest.raises(SchemaException, match="'a' is of type") as caught:
        grown(typed(old), after(typed(new)), dynamic=True)
    assert caught.value.code is ErrorCode.E_DESCRIPTOR_MISMATCH
    with pytest.raises(StreamDescriptorMismatch):
        grown(typed(old), after(typed(new)))


def test_the_union_of_columns():
    old = pd.DataFrame({"a": [1], "b": [2]})
    schema = grown(old, after(pd.DataFrame({"c": [1.5], "b": [3], "d": ["x"]}), 1), dynamic=True)
    assert schema.names == ["a", "b", "c", "d"]
    assert [str(schema.dtype(i)) for i in range(4)] == ["int64", "int64", "float64", "string"]
    assert grown(old, after(old[["b", "a"]], 1), dynamic=True).names == ["a", "b"]
    assert grown(pd.DataFrame(), old, dynamic=True).names == ["a", "b"]


def test_dynamic_names():
    old = pd.DataFrame({1: [1]})
    with pytest.raises(NormalizationException, match="'1'"):
        grown(old, after(pd.DataFrame({"1": [1]}), 1), dynamic=True)
    twice = pd.DataFrame([[1, 2]], columns=["x", "x"])
    with pytest.raises(ArcticException, match="more than one column 'x'"):
        grown(twice, after(twice, 1), dynamic=True)
    with pytest.raises(ArcticException, match="None"):
        check_dynamic(table(pd.DataFrame([[1, 2]], columns=pd.Index([None, None], dtype=object))).schema, "sym")
    check_dynamic(table(frame(pd.Index([1, 2], name="a"))).schema, "sym")


def test_zones_of_dynamic_columns():
    old = pd.DataFrame({"t": pd.to_datetime(["2024"]).tz_localize("UTC")})
    new = pd.DataFrame({"t": pd.to_datetime(["2024"]).tz_localize("Asia/Tokyo")})
    with pytest.raises(SchemaException, match=r"'UTC'.*'Asia/Tokyo'"):
        grown(old, after(new, 1), dynamic=True)


def test_column_names_of_a_union():
    def kind(old, new):
        return frame_meta(
            grown(pd.DataFrame([[1]], columns=old), after(pd.DataFrame([[1]], columns=new), 1), dynamic=True)
        ).columns

    assert kind(pd.RangeIndex(1), pd.RangeIndex(1)) == "range"
    assert kind(pd.RangeIndex(1), pd.RangeIndex(1, 2)) == "int64"
    assert kind(pd.RangeIndex(1), pd.Index(["a"])) == "object"
    assert kind(pd.Index(["a"], dtype=object), pd.Index(["b"], dtype=object)) == "object"
    assert kind(pd.Index(["a"]), pd.Index(["b"])) == frame_meta(table(pd.DataFrame({"a": [1]})).schema).columns


# --- categories


def categorical(values, categories, *, ordered=False, start=0):
    made = pd.Categorical(values, categories=categories, ordered=ordered)
    return pd.DataFrame({"c": made}, index=pd.RangeIndex(start, start + len(values)))


def appended(old, new, *, dynamic=False):
    """Append as the operations do, and read both."""
    before, after_ = table(old), table(new)
    schema = evolve(before.schema, before.rows, after_.schema, after_.rows, dynamic=dynamic, symbol="sym")
    return [denormalize(conform(part, schema))["c"] for part in (before, after_)]


@pytest.mark.parametrize("dynamic", [False, True])
def test_categories_are_joined(dynamic):
    old, new = appended(
        categorical(["a", "b", None], ["b", "a"]),
        categorical(["c", "a", None], ["a", "d", "c"], start=3),
        dynamic=dynamic,
    )
    assert list(old.cat.categories) == list(new.cat.categories) == ["b", "a", "d", "c"]
    assert old.tolist()[:2] == ["a", "b"]
    assert new.tolist()[:2] == ["c", "a"]
    assert old.isna().tolist() == new.isna().tolist() == [False, False, True]


def test_more_categories_take_wider_codes():
    many = [f"v{i}" for i in range(300)]
    old, new = appended(categorical(["a"], ["a"]), categorical(many, many, start=1))
    assert new.tolist() == many
    assert old.tolist() == ["a"]
    assert new.cat.codes.dtype == "int16"


def test_the_same_categories():
    data = categorical(["a"], ["a", "b"], ordered=True)
    again = categorical(["b"], ["a", "b"], ordered=True, start=1)
    assert grown(data, again) == table(data).schema


def test_categories_that_do_not_fit():
    ordered = categorical(["a"], ["a", "b"], ordered=True)
    with pytest.raises(SchemaException, match="ordered"):
        grown(ordered, categorical(["c"], ["c"], ordered=True, start=1))
    with pytest.raises(SchemaException, match="another type"):
        grown(categorical(["a"], ["a"]), categorical([1], [1], start=1))
    with pytest.raises(StreamDescriptorMismatch):
        grown(ordered, categorical(["a"], ["a", "b"], start=1))
    with pytest.raises(StreamDescriptorMismatch):
        grown(ordered, pd.DataFrame({"c": ["a"]}, index=[1]).set_axis(pd.RangeIndex(1, 2)))


def test_ordered_categories_may_be_fewer():
    _old, new = appended(
        categorical(["a"], ["a", "b", "c"], ordered=True), categorical(["c"], ["a", "c"], ordered=True, start=1)
    )
    assert new.tolist() == ["c"]
    assert list(new.cat.categories) == ["a", "b", "c"]


# --- units of time


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(strategies.UNITS, 2)))
def test_units_are_the_symbols(old, new, dynamic):
    first = timed(unit=old, t=pd.to_timedelta([1, 2], unit="s").as_unit(old))
    second = timed("2024-02-01", unit=new, t=pd.to_timedelta([1, None], unit="s").as_unit(new))
    schema = grown(first, second, dynamic=dynamic)
    assert schema == table(first).schema
    result = denormalize(conform(table(second), schema))
    pd.testing.assert_frame_equal(
        result, second.set_axis(second.index.as_unit(old)).assign(t=second["t"].dt.as_unit(old))
    )


def test_instants_that_do_not_fit_the_unit():
    coarse, fine = timed(unit="s"), timed("2024-02-01 00:00:00.5", unit="ms")
    schema = grown(coarse, fine)
    with pytest.raises(StreamDescriptorMismatch, match=r"row 0 .*no whole number of s"):
        conform(table(fine), schema)
    narrow = pd.DataFrame({"t": pd.to_datetime(["2024"]).as_unit("ns")})
    far = pd.DataFrame({"t": np.array([0, 10**11], dtype="M8[s]")}, index=pd.RangeIndex(1, 3))
    with pytest.raises(StreamDescriptorMismatch, match=r"row 1 .*beyond"):
        conform(table(far), grown(narrow, far))


@given(
    st.lists(st.one_of(st.none(), st.integers(-9 * 10**9, 9 * 10**9)), max_size=8),
    st.sampled_from(strategies.UNITS),
    st.sampled_from(strategies.UNITS),
)
def test_conforming_units_is_exact(seconds, old, new):
    values = pd.Series(pd.to_datetime(pd.Series(seconds, dtype="Int64"), unit="s")).dt.as_unit(new)
    frame_ = pd.DataFrame({"t": values})
    schema = grown(pd.DataFrame({"t": pd.Series([], dtype=f"M8[{old}]")}, index=pd.RangeIndex(0)), frame_)
    result = denormalize(conform(table(frame_), schema))
    pd.testing.assert_series_equal(result["t"], values.dt.as_unit(old), check_names=False)


# --- conform


def test_conform_under_a_dynamic_schema_keeps_own_columns():
    old = pd.DataFrame({"a": [1.5], "c": pd.Categorical(["x"])})
    new = after(pd.DataFrame({"c": pd.Categorical(["y"]), "z": [1]}), 1)
    schema = grown(old, new, dynamic=True)
    made = conform(table(new), schema)
    assert made.schema.names == ["c", "z"]
    assert str(made.schema.dtype(1)) == "int64"
    assert made.bands[0].values[0].tolist() == [1]
    assert made.schema.categories[0] == schema.categories[1]


def test_conform_to_promoted_numbers():
    old, new = typed("float64"), after(typed("int8"))
    schema = grown(old, new, dynamic=True)
    assert denormalize(conform(table(new), schema))["a"].dtype == "float64"


def test_conform_gives_the_same_table_back():
    one = table(timed())
    assert conform(one, one.schema) is one


def test_conform_many_columns():
    old = pd.DataFrame(np.zeros((1, 200), dtype="M8[ns]"))
    new = pd.DataFrame(np.ones((2, 200), dtype="M8[s]"), index=pd.RangeIndex(1, 3))
    made = conform(table(new), grown(old, new))
    assert made.bands[0].values.shape == (200, 2)
    assert (made.bands[0].values == 10**9).all()


# --- frequencies


@pytest.mark.parametrize("tz", [None, "Europe/Paris"])
@pytest.mark.parametrize("freq", ["D", "B", "h", "MS"])
def test_a_frequency_goes_on(freq, tz):
    whole = frame(pd.date_range("2024-03-01", periods=60, freq=freq, tz=tz), 60)
    first, second = whole[:30], whole[30:]
    follows = int(first.index.asi8[-1]), int(second.index.asi8[0])
    assert frame_meta(grown(first, second, follows=follows)).freq == freq
    assert frame_meta(grown(first, second)).freq is None
    gap = whole[31:]
    follows = int(first.index.asi8[-1]), int(gap.index.asi8[0])
    assert frame_meta(grown(first, gap, follows=follows)).freq is None
    other = second.set_axis(second.index._with_freq(None))
    follows = int(first.index.asi8[-1]), int(other.index.asi8[0])
    assert frame_meta(grown(first, other, follows=follows)).freq is None
    assert frame_meta(grown(first, other[:1], follows=follows)).freq == freq


def test_a_frequency_without_rows():
    data = frame(pd.date_range("2024", periods=2, freq="D"))
    assert frame_meta(grown(data[:0], data)).freq == "D"
    assert frame_meta(grown(data, data[:0])).freq == "D"
    assert frame_meta(without_freq(table(data).schema)).freq is None
