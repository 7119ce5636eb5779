"""One libcurl handle and the request it carries: what `transport` reuses hundreds of times a second."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlsplit

import pycurl

from channels.rules.hosts import is_global


class Handle:
    """One reusable easy handle with the request it carries."""

    def __init__(self, easy: Any, *, keep_headers: frozenset[str]) -> None:
        self.easy = easy
        #: Of the request within its page; -1 before the first.
        self.index = -1
        self.url: str | None = None
        #: The last connection was not opened, since its address is none of the public internet.
        self.refused_address = False
        self.lines: tuple[Sequence[str], Sequence[str]] | None = None
        self.body = b""
        self.read = 0
        self.chunks: list[bytes] = []
        self.headers: dict[str, str] = {}
        self.keep_headers = {name.encode() for name in keep_headers}
        self.started_at = self.clock = 0.0
        easy.handle = self
        easy.setopt(pycurl.READFUNCTION, self._next_part)
        easy.setopt(pycurl.WRITEFUNCTION, self.chunks.append)
        if keep_headers:
            easy.setopt(pycurl.HEADERFUNCTION, self._keep_header)

    def load(self, index: int, url: str, headers: tuple[Sequence[str], Sequence[str]], body: bytes) -> None:
        """Point the handle at a request; of what the last one shared with it, nothing is set again."""
        easy = self.easy
        if url != self.url:
            easy.setopt(pycurl.URL, url)
            self.url = url
        self.refused_address = False
        if headers != self.lines:
            # An empty Expect keeps libcurl from waiting for "100 Continue" before large bodies.
            easy.setopt(pycurl.HTTPHEADER, [*headers[0], *headers[1], "Expect:"])
            self.lines = headers
        if len(body) != len(self.body) or self.index < 0:
            easy.setopt(pycurl.POSTFIELDSIZE_LARGE, len(body))
        self.index, self.body, self.read = index, body, 0
        self.chunks.clear()
        self.headers = {}
        self.started_at, self.clock = time.time(), time.perf_counter()

    def vet(self, local_hosts: Collection[str]) -> None:
        """From now on connect to public addresses only, unless the URL's host is one of these, word for word."""

        def open_socket(purpose: int, address: Any) -> Any:
            del purpose
            family, kind, protocol, place = address
            if not is_global(place[0]) and urlsplit(self.url or "").hostname not in local_hosts:
                self.refused_address = True
                return pycurl.SOCKET_BAD
            return _Opened(socket.socket(family, kind, protocol))

        self.easy.setopt(pycurl.OPENSOCKETFUNCTION, open_socket)

    def _next_part(self, size: int) -> bytes:
        part = self.body[self.read : self.read + size]
        self.read += len(part)
        return part

    def _keep_header(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in self.keep_headers:
            self.headers[name.decode()] = value.decode("latin-1").strip()


class _Opened:
    """A socket on its way to libcurl, which makes a descriptor of its own from it."""

    def __init__(self, opened: socket.socket) -> None:
        self._descriptor = opened.detach()

    def fileno(self) -> int:
        """What libcurl asks for."""
        return self._descriptor

    def __del__(self) -> None:
        os.close(self._descriptor)
