"""The server that tests play: it answers many that come at once."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

from coldframe.testing.servers.answering import Answer, Answering, Asked


class Echo(Answering):
    """Answers with what it was asked."""

    def answer(self, asked: Asked) -> Answer:
        return Answer(200, f"{asked.method} {asked.path} {len(asked.body)}", {"X-Seen": "yes"})


def test_connections_that_come_at_once_do_not_wait_for_each_other():
    with Echo() as server, ExitStack() as open_ones:
        started = time.monotonic()
        connections = [socket.socket() for _ in range(100)]
        for connection in connections:
            open_ones.callback(connection.close)
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", server.port))
        for connection in connections:
            connection.settimeout(10)
            connection.sendall(b"PUT /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
            assert b"".join(iter(lambda: connection.recv(4096), b"")).endswith(b"\r\n\r\nPUT /a?b 3")  # noqa: B023
        # One that finds the queue full is sent again after a second.
        assert time.monotonic() - started < 0.9
