"""Real servers, started when a test asks for one."""

from __future__ import annotations

from coldframe.testing.servers.fixtures import *  # noqa: F403
