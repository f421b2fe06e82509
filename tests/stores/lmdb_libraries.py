"""Libraries in LMDB folders, made where they are not there."""

from pathlib import Path

from coldframe.stores.lmdb import LmdbStorage


def library(path: Path, name: str = "lib", **options):
    storage = LmdbStorage(str(path), **options)
    if not storage.has(name):
        storage.create(name, "library", b"options")
    return storage.store(name)
