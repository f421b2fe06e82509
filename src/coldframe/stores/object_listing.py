"""Long listings in parallel: after the first pages the rest of the keys is cut into ranges that are listed at once.

A page of a listing can only be asked for when the page before it is there. But a listing can be started after any key,
so several listings, each ending where the next begins, give the same in less time. Where to cut is guessed from the
names seen so far; a bad guess costs a request and is never wrong, because the ranges cover everything. A folder that
this process has listed before is cut where its pages ended then, from the start.
"""

from __future__ import annotations

import string
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from coldframe.stores.object_requests import Requests

# So many pages one after the other first: short listings, which most are, need no request more than their pages.
PATIENT = 11
MOST_RANGES = 32
Page = list[tuple[str, int]]


def pages(requests: Requests, folder: str, after: str, prefix: str) -> Iterator[Page]:
    """Pages of a folder's listing, in order, at least up to the last path with `prefix`."""
    if after or prefix != f"{folder}/" or not _divisible(requests):
        yield from _pages(requests, folder, after, prefix)
        return
    known = requests.cuts.get(folder)
    size = requests.client.page
    cuts: list[str] = []
    total = 0
    for page in _at_once(requests, folder, "", known, prefix) if known else _pages(requests, folder, after, prefix):
        cuts += [page[at][0] for at in range(-(total + 1) % size, len(page), size)]
        total += len(page)
        yield page
    if total % size == 0:
        cuts = cuts[:-1]  # the last path is no place to cut at
    step = -(-len(cuts) // MOST_RANGES) or 1
    if cuts or known:
        requests.cuts[folder] = cuts[step - 1 :: step]


def _divisible(requests: Requests) -> bool:
    return requests.target.kind == "s3" and requests.client.resumable


def _pages(requests: Requests, folder: str, after: str, prefix: str) -> Iterator[Page]:
    """The same where the folder is not known: some pages one by one, then guessed ranges at once."""
    first = last = ""
    source = requests.pages(folder, after)
    for number, page in enumerate(source, 1):
        yield page
        first, last = first or page[0][0], page[-1][0]
        if number == PATIENT and _divisible(requests):
            if len(page) < requests.client.page:
                return  # there is no other
            break
    else:
        return
    cuts = [cut for cut in boundaries(folder, first, last) if cut[: len(prefix)] <= prefix]
    yield from _at_once(requests, folder, last, cuts, prefix)


def _at_once(requests: Requests, folder: str, after: str, cuts: Sequence[str], prefix: str) -> Iterator[Page]:
    """The pages after a path, listed in ranges that end at the cuts."""
    ranges = list(zip([after, *cuts], [*cuts, f"{prefix}\x7f"], strict=True))
    futures = [requests.workers.submit(_between, requests, folder, start, stop) for start, stop in ranges]
    try:
        for future in futures:
            yield from future.result()
    finally:
        for future in futures:
            future.cancel()


def _between(requests: Requests, folder: str, start: str, stop: str) -> list[Page]:
    """The pages with paths greater than `start` and at most `stop`."""
    found: list[Page] = []
    for page in requests.pages(folder, start):
        if page[-1][0] < stop:
            found.append(page)
            continue
        kept = page[: bisect_right(page, stop, key=lambda entry: entry[0])]
        if kept:
            found.append(kept)
        break
    return found


def boundaries(folder: str, first: str, last: str) -> list[str]:
    """Paths greater than `last` at which to cut what follows it, ascending.

    Examples
    --------
    >>> boundaries("s", "s/sym_00000", "s/sym_09999")[:3]
    ['s/sym_1', 's/sym_2', 's/sym_3']
    """
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    cuts: list[str] = []
    # Where the names seen differ, and then at each place to the left of it, names that continue in the same way.
    for at in range(min(shared, len(last) - 1), len(folder), -1):
        alphabet = next((kind for kind in _KINDS if last[at] in kind), "")
        cuts += [last[:at] + letter for letter in alphabet if letter > last[at]]
        if len(cuts) >= MOST_RANGES:
            break
    return cuts[:MOST_RANGES]


_KINDS = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
