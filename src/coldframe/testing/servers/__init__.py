"""Real servers for tests and benchmarks, installed and started on this machine by themselves.

Each module has a context manager `running()` that yields the started server, and raises :class:`Unavailable` with a
reason where the server cannot be had. Everything is kept in ``$COLDFRAME_SERVERS`` or the user's cache directory.
"""

from __future__ import annotations

from coldframe.testing.servers.processes import S3Server, Unavailable

__all__ = ["S3Server", "Unavailable"]
