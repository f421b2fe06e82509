"""Delete: versions that go; what only they named is retired, and freed when no reader can need it."""

from __future__ import annotations

from collections.abc import Sequence

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.commit import commit
from coldframe.catalog.draft import Draft
from coldframe.exceptions import ArcticException, ErrorCode, NoSuchVersionException, StorageException
from coldframe.operations.batches import attempt_each


def delete(catalog: Catalog, symbol: str, versions: Sequence[int] | None = None) -> None:
    """Delete a symbol (nothing happens if there is none), or some of its versions."""
    catalog.check_writable("delete")
    if versions is None:
        commit(catalog, symbol, lambda draft: draft.drop_all(), operation="delete")
        return
    if not versions:
        return

    def edit(draft: Draft) -> None:
        newest = draft.head.next_number - 1
        if max(versions) > newest:
            there = f"the newest is {newest}" if newest >= 0 else "the symbol does not exist"
            raise NoSuchVersionException(
                f"symbol '{symbol}' has no version {max(versions)} in library '{catalog.library}' ({there}). Nothing "
                "was "
                f"deleted; list_versions('{symbol}') shows the versions there are."
            )
        draft.drop(versions)

    commit(catalog, symbol, edit, operation="delete")


def delete_batch(
    catalog: Catalog, requests: Sequence[tuple[str, Sequence[int] | None]]
) -> list[ArcticException | None]:
    """Delete several symbols or versions; an item that fails leaves its error in the list. None: all versions."""
    return attempt_each(catalog, lambda request: delete(catalog, *request), requests)


def prune_previous_versions(catalog: Catalog, symbol: str) -> None:
    """Delete every version but the newest; those that snapshots hold stay readable through them."""

    def edit(draft: Draft) -> None:
        if not draft.head.live.records:
            raise StorageException(
                f"symbol '{symbol}' does not exist in library '{catalog.library}', so it has no versions to prune.",
                code=ErrorCode.E_SYMBOL_NOT_FOUND,
            )
        draft.keep_newest()

    commit(catalog, symbol, edit, operation="prune_previous_versions")
