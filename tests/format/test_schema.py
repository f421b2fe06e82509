"""Schemas: the two orders of columns, and projections."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.format.tables import FIXED, STRING

from coldframe.format.schema import Schema

dtypes = st.lists(st.sampled_from([*FIXED[:5], STRING]), max_size=12)


@given(dtypes)
def test_stored_order_brings_types_together(types):
    schema = Schema.of(list(range(len(types))), types)
    stored = [schema.dtype(i) for i in schema.order.tolist()]
    assert stored == [t for t in schema.types for _ in range(types.count(t))]
    assert schema.order[schema.place].tolist() == list(range(len(types)))
    assert [stored[place] for place in schema.place.tolist()] == types
    assert np.diff(schema.bounds).tolist() == [types.count(t) for t in schema.types]


@given(dtypes, st.data())
def test_a_projection_keeps_both_orders(types, data):
    levels = data.draw(st.integers(0, len(types)))
    categories = {i: bytes([i]) for i in range(0, len(types), 2)}
    schema = Schema.of([f"c{i}" for i in range(len(types))], types, levels, categories, b"frame")
    stored = sorted(data.draw(st.sets(st.integers(0, len(types) - 1)))) if types else []
    found = schema.select(np.array(stored, int))
    kept = sorted(schema.order[stored].tolist())
    assert found.names == [f"c{i}" for i in kept]
    assert [found.dtype(i) for i in range(found.width)] == [types[i] for i in kept]
    assert [found.names[i] for i in found.order] == [schema.names[schema.order[s]] for s in stored]
    assert found.index_columns == sum(i < levels for i in kept)
    assert found.categories == {new: categories[old] for new, old in enumerate(kept) if old in categories}
    assert found.frame == b"frame"
    # Types keep the stored order, which need not be that of their first appearance among the columns that are left.
    assert found.types == [t for t in schema.types if t in {types[i] for i in kept}]
