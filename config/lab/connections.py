"""Cut connections of this process, as a dying peer or a broken network does."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterator
from pathlib import Path

#: SO_LINGER with no time: closing sends a reset instead of a farewell.
_RESET = struct.pack("ii", 1, 0)


def cut_connection(peer: str) -> None:
    """Cut the connection whose other end is `host:port`; the server that owns it finds it gone."""
    for connection, _, other_end in _connections():
        if other_end == peer:
            _cut(connection)


def cut_connections(ports: Collection[int]) -> None:
    """Cut every connection to these ports of ours: a client that keeps one open would keep the server from ending."""
    for connection, port, _ in _connections():
        if port in ports:
            _cut(connection)


def _cut(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.shutdown(socket.SHUT_RDWR)


def _connections() -> Iterator[tuple[socket.socket, int, str]]:
    """Every TCP connection of this process, with our port and the other end; each is closed when the next is asked."""
    for descriptor in Path("/dev/fd").iterdir():
        try:
            connection = socket.socket(fileno=os.dup(int(descriptor.name)))
        except OSError:
            continue  # no socket, or gone meanwhile
        with connection:
            if connection.family != socket.AF_INET:
                continue
            try:
                host, port = connection.getpeername()
                ours = connection.getsockname()[1]
            except OSError:
                continue  # it listens, or has just ended
            yield connection, ours, f"{host}:{port}"
