"""coldframe measured against ArcticDB, both on LMDB, in one process, in turn: `make bench`."""
