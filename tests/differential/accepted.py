"""Where the two libraries may differ: each rule names the heading of docs/differences.md that gives the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from differential.frames import Frame
from differential.outcomes import Description, Failure, Outcome
from differential.sequences import Created, Operation, Payload


class Step(NamedTuple):
    """An operation, what it did on either side, and what was done before."""

    operation: Operation
    theirs: Outcome
    ours: Outcome
    before: Sequence[Operation] = ()

    def values(self) -> list[tuple[Any, Any]]:
        """What a batch returned on either side, item by item."""
        return list(zip(self.theirs.value, self.ours.value, strict=True))

    def has(self, ours: str) -> bool:
        """Whether ArcticDB did it and coldframe refused with this error."""
        return not self.theirs.error and self.ours.error == ours


@dataclass(frozen=True)
class Accepted:
    """A difference that is meant.

    Attributes
    ----------
    heading : str
        The heading in docs/differences.md.
    applies : callable
        `applies(step)`: whether this explains that the outcomes differ.
    diverges : callable
        `diverges(step)`: whether the libraries hold different things from here on, so that the sequence ends.
    """

    heading: str
    applies: Callable[[Step], bool]
    diverges: Callable[[Step], bool] = lambda _step: False


@dataclass(frozen=True)
class Forgiven:
    """A difference in what is returned that is taken away before the results are compared.

    Attributes
    ----------
    heading : str
        The heading in docs/differences.md.
    level : callable
        `level(theirs, ours)`: the two results made alike in this respect, or None where it does not concern them.
    """

    heading: str
    level: Callable[[Any, Any], tuple[Any, Any] | None]


# What is forgiven


def zero_rows(theirs: Any, ours: Any) -> tuple[Any, Any] | None:
    """ArcticDB returns an empty DatetimeIndex, whatever was written."""
    if not isinstance(theirs, pd.DataFrame | pd.Series) or len(theirs) or len(ours):
        return None
    empty = pd.RangeIndex(0)
    return theirs.set_axis(empty), ours.set_axis(empty)


def columns_of_series(theirs: Any, ours: Any) -> tuple[Any, Any] | None:
    """A series has one column, which is always read; ArcticDB returns nothing when others are asked for."""
    lost = isinstance(theirs, pd.Series) and not len(theirs) and isinstance(theirs.index, pd.RangeIndex)
    return (theirs, theirs) if lost and isinstance(ours, pd.Series) else None


def descriptions(theirs: Any, ours: Any) -> tuple[Any, Any] | None:
    """Of series, pickles and what once had no rows, ArcticDB lists the index among the columns."""
    if not isinstance(theirs, Description):
        return None
    if len(theirs["columns"]) == len(ours["columns"]) and theirs["index_type"] != "NA" and theirs["row_count"]:
        return None
    hidden = {"columns", "index", "index_type"}
    return tuple({key: part for key, part in one.items() if key not in hidden} for one in (theirs, ours))


def range_types(theirs: Any, ours: Any) -> tuple[Any, Any] | None:
    """The type of a range, which is not stored: the text of a message in ArcticDB, here that of its numbers."""
    if not isinstance(theirs, Description) or [dtype for _, dtype in theirs["index"]] != ["range"]:
        return None
    return tuple(Description(one | {"index": [name for name, _ in one["index"]]}) for one in (theirs, ours))


def codes(theirs: Any, ours: Any) -> tuple[Any, Any] | None:
    """ArcticDB gives few of the errors in a batch their code; we name a mistake in the arguments first."""
    if not isinstance(theirs, Failure) or theirs["code"] == ours["code"]:
        return None
    if theirs["code"] is not None and ours["code"] not in {"E_INVALID_USER_ARGUMENT", "E_UNSUPPORTED_INDEX_TYPE"}:
        return None
    theirs = Failure(theirs | {"code": None, "category": None})
    return theirs, Failure(ours | {"code": None, "category": None})


FORGIVEN: list[Forgiven] = [
    Forgiven("Zero rows", zero_rows),
    Forgiven("Columns of a series", columns_of_series),
    Forgiven("Descriptions", range_types),
    Forgiven("Descriptions", descriptions),
    Forgiven("Errors in batches", codes),
]


# What is accepted


def frames_of(operation: Operation) -> Iterator[Frame]:
    """The frames among the arguments, also those in payloads."""
    for value in operation.arguments.values():
        for part in value if isinstance(value, list) else [value]:
            frame = part.arguments.get("data") if isinstance(part, Payload) else part
            if isinstance(frame, Frame):
                yield frame


def symbols_of(operation: Operation) -> set[str]:
    """The symbols that an operation names."""
    named = {operation.arguments.get("symbol")}
    for value in operation.arguments.values():
        for part in value if isinstance(value, list) else []:
            named.add(part.arguments["symbol"] if isinstance(part, Payload) else str(part))
    return {str(name) for name in named if name is not None}


def always(_step: Step) -> bool:
    """The libraries hold different things."""
    return True


def in_batches(step: Step) -> bool:
    """A batch does a part of what it was asked."""
    return step.operation.method.endswith("_batch")


def bad_name(step: Step) -> bool:
    """Both refuse; we look at the name first."""
    refused = bool(step.theirs.error) and step.ours.error == "UserInputException"
    return refused and "*" in str(step.operation.arguments.get("symbol"))


def no_such_symbol(step: Step) -> bool:
    """Both refuse; ArcticDB says that there is no such symbol, we what is wrong with the data."""
    return "non-existent symbol" in step.theirs.message and bool(step.ours.error)


def reversed_range(step: Step) -> bool:
    """A range that ends before it starts is a mistake when something is to be changed."""
    date_range = step.operation.arguments.get("date_range")
    if step.operation.method not in {"update", "delete_data_in_range"} or not isinstance(date_range, tuple):
        return False
    start, stop = date_range
    return None not in {start, stop} and start.value > stop.value and step.ours.error == "UserInputException"


def categories(step: Step) -> bool:
    """ArcticDB appends no categories, or takes their codes for numbers; we append and merge them."""
    if step.has("SchemaException") and "of type category" in step.ours.message:
        return True
    has = any(kind == "category" for frame in frames_of(step.operation) for _, kind in frame.columns)
    changes = step.operation.method.startswith(("append", "update"))
    return has and changes and step.theirs.error == "ArcticDbNotYetImplemented"


def already_deleted(step: Step) -> bool:
    """What is gone already needs no deleting."""
    if step.operation.method == "delete":
        return "already deleted" in step.theirs.message and not step.ours.error
    if step.operation.method != "delete_batch" or step.theirs.error or step.ours.error:
        return False
    differing = [(theirs, ours) for theirs, ours in step.values() if theirs != ours]
    return bool(differing) and all(
        theirs and theirs["code"] == "E_NO_SUCH_VERSION" and ours is None for theirs, ours in differing
    )


def several_versions(step: Step) -> bool:
    """ArcticDB deletes none of them if one is gone already."""
    versions = step.operation.arguments.get("versions")
    return step.operation.method == "delete_batch" or (isinstance(versions, list) and len(set(versions)) > 1)


def held_by_snapshot(step: Step) -> bool:
    """A version that is only held by a snapshot cannot be read by number or time, and is said not to be there."""
    asked = step.operation.method == "has_symbol" and isinstance(step.operation.arguments.get("as_of"), int | Created)
    return asked and step.theirs.value is True and step.ours.value is False


def empty_snapshot(step: Step) -> bool:
    """A snapshot may hold nothing when that is what was asked for."""
    return step.operation.method == "snapshot" and "No valid symbols" in step.theirs.message and not step.ours.error


def slipped_through(step: Step) -> bool:
    """An error of Python's where the library means to refuse; ours is one of the library's own."""
    refused = not step.ours.error or step.ours.error.endswith("Exception")  # in a batch: a DataError for the item
    return step.theirs.error in {"AttributeError", "IndexError", "TypeError"} and refused


def other_class(step: Step) -> bool:
    """No columns of a pickle: ArcticDB has a class of error for this of its own."""
    return "with pickled data" in step.theirs.message and step.ours.error == "InternalException"


def nothing_to_add(step: Step) -> bool:
    """Zero rows have an index and columns too: they have to fit like any others."""
    refused = any(map(step.has, ["StreamDescriptorMismatch", "SchemaException", "InternalException"]))
    return refused and any(not frame.rows for frame in frames_of(step.operation))


def once_without_rows(step: Step) -> bool:
    """A frame without rows keeps its index and the order of its columns, so what fits later differs."""
    concerned = symbols_of(step.operation)
    earlier = (operation for operation in step.before if symbols_of(operation) & concerned)
    return any(not frame.rows for operation in earlier for frame in frames_of(operation))


def clipped_to_nothing(step: Step) -> bool:
    """The same for an update of whose rows none lies in its range."""
    refused = any(map(step.has, ["StreamDescriptorMismatch", "SchemaException", "NormalizationException"]))
    why = ("pickled", "only data with a time index has time ranges")
    refused = refused or (step.has("InternalException") and any(text in step.ours.message for text in why))
    return step.operation.method == "update" and "date_range" in step.operation.arguments and refused


def clipped_in_a_batch(step: Step) -> bool:
    """The same as an item of a batch."""
    if step.operation.method != "update_batch" or step.theirs.error or step.ours.error:
        return False
    failed = [isinstance(ours, Failure) and not isinstance(theirs, Failure) for theirs, ours in step.values()]
    ranged = ["date_range" in payload.arguments for payload in step.operation.arguments["update_payloads"]]
    return any(failed) and all(item[1] for item in zip(failed, ranged, strict=True) if item[0])


def all_rows_deleted(step: Step) -> bool:
    """Columns are not forgotten when the last of their rows is deleted."""
    deleted = any(operation.method in {"delete_data_in_range", "update"} for operation in step.before)
    if deleted and step.has("SchemaException"):
        return True
    if step.theirs.error or step.ours.error or step.operation.method not in {"read", "head", "tail"}:
        return False
    theirs, ours = step.theirs.value["data"], step.ours.value["data"]
    return deleted and isinstance(theirs, pd.DataFrame) and set(theirs.columns) <= set(ours.columns)


def rows_without_columns(step: Step) -> bool:
    """The rows of a range without columns are kept, also where a read asks for none of its columns."""
    if step.operation.arguments.get("columns") and not step.theirs.error and not step.ours.error:
        theirs, ours = (one.value["data"] for one in (step.theirs, step.ours) if "data" in one.value)
        if isinstance(theirs, pd.DataFrame) and theirs.shape == (0, 0) and not ours.shape[1]:
            return isinstance(ours.index, pd.RangeIndex)
    return any(frame.kind == "range" and not frame.columns for op in step.before for frame in frames_of(op))


def two_mistakes(step: Step) -> bool:
    """Both refuse; which of two mistakes is named first differs."""
    if step.theirs.error not in REFUSALS or step.ours.error not in REFUSALS:
        return False
    if {step.theirs.error, step.ours.error} == {"StreamDescriptorMismatch", "NormalizationException"}:
        return True
    if step.theirs.error == "SchemaException" and step.ours.error == "StreamDescriptorMismatch":
        return "time zone" in step.ours.message  # which ArcticDB does not compare
    flawed = any(frame.flaw for frame in frames_of(step.operation)) and step.ours.error == "UnsortedDataException"
    return flawed or ("start index" in step.theirs.message and step.ours.error != "InternalException")


def prune_what_is_deleted(step: Step) -> bool:
    """A deleted symbol is no other than one that never was."""
    return step.operation.method == "prune_previous_versions" and step.ours.error == "StorageException"


def listed_though_unknown(step: Step) -> bool:
    """ArcticDB lists version 0 of a symbol that a snapshot does not hold."""
    return step.operation.method == "list_versions" and "snapshot" in step.operation.arguments and not step.ours.value


def other_zone(step: Step) -> bool:
    """Rows in another zone are not taken for rows in this one."""
    return step.has("StreamDescriptorMismatch") and "in the time zone" in step.ours.message


def levels_in_a_range(step: Step) -> bool:
    """ArcticDB takes a clipped MultiIndex for unsorted."""
    levels = any(frame.kind == "levels" for frame in frames_of(step.operation))
    ranged = "date_range" in str(step.operation)
    return levels and ranged and step.theirs.error == "UnsortedDataException"


def stretch_of_unsorted_rows(step: Step) -> bool:
    """ArcticDB deletes nothing and says nothing."""
    return step.operation.method in {"delete_data_in_range", "update"} and step.has("UnsortedDataException")


def upsert_without_times(step: Step) -> bool:
    """What could not be updated is not made by an update either."""
    return (
        step.operation.method.startswith("update") and step.has("InternalException") and "upsert" in str(step.operation)
    )


def whole_batch(step: Step) -> bool:
    """One bad item fails by itself, not the batch."""
    return step.operation.method.endswith("_batch") and bool(step.theirs.error) and not step.ours.error


REFUSALS = {
    "InternalException",
    "NormalizationException",
    "SchemaException",
    "StreamDescriptorMismatch",
    "UnsortedDataException",
}

ACCEPTED: list[Accepted] = [
    Accepted("Zero rows", nothing_to_add, always),
    Accepted("Zero rows", clipped_to_nothing, always),
    Accepted("Zero rows", clipped_in_a_batch, always),
    Accepted("Zero rows", all_rows_deleted, always),
    Accepted("Rows without columns", rows_without_columns, always),
    Accepted("Time zones are not changed by an append", other_zone, always),
    Accepted("Updates of a MultiIndex", levels_in_a_range, always),
    Accepted("Stretches of unsorted rows", stretch_of_unsorted_rows, always),
    Accepted("One of two mistakes", bad_name),
    Accepted("One of two mistakes", no_such_symbol),
    Accepted("One of two mistakes", two_mistakes),
    Accepted("One of two mistakes", prune_what_is_deleted),
    Accepted("Versions that only a snapshot holds", listed_though_unknown),
    Accepted("Wrong arguments are named", slipped_through, in_batches),
    Accepted("One of two mistakes", other_class),
    Accepted("Errors in batches", whole_batch, always),
    Accepted("Ranges that end before they start", reversed_range, always),
    Accepted("Categories", categories, always),
    Accepted("Deleting what is gone", already_deleted, several_versions),
    Accepted("Versions that only a snapshot holds", held_by_snapshot),
    Accepted("Snapshots of nothing", empty_snapshot, always),
    Accepted("Updates need a time index", upsert_without_times, always),
    Accepted("Zero rows", once_without_rows, always),
]


def headings() -> list[str]:
    """Every heading that a rule or a single operation refers to."""
    from differential import single_calls, single_values

    named = [single.heading for single in (*single_values.SINGLES, *single_calls.SINGLES) if single.heading]
    return sorted({rule.heading for rule in (*FORGIVEN, *ACCEPTED)} | set(named))
