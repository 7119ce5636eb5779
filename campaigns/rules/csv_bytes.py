"""The bytes of an uploaded file: UTF-8 text in lines, or a refusal that names the line and the cure."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterable, Iterator

from campaigns.errors import WrongFile
from campaigns.policy import MAX_CSV_ROW_BYTES

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CURE = 'save it as "CSV UTF-8" and upload it again.'


class Scan:
    """Looks through a file piece by piece, before anything of it is written."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._open = 0
        #: Line ends so far.
        self.lines = 0
        #: Bytes so far.
        self.size = 0

    def feed(self, piece: bytes) -> None:
        """Look at the next bytes; raises `WrongFile`."""
        if self.size == 0 and piece.startswith(_UTF16):
            raise WrongFile(f'This file is UTF-16, as Excel\'s "Unicode text" is; {_CURE}')
        self._decode(piece)
        if b"\0" in piece:
            line = self._line_at(piece, piece.index(b"\0"))
            raise WrongFile(f"Line {line:,} holds a NUL byte, so this is no text in UTF-8; {_CURE}")
        self._measure(piece)
        self.lines += piece.count(b"\n")
        self.size += len(piece)

    def close(self) -> None:
        """Say that this was all; raises `WrongFile` where the file is empty, or cut off within a character."""
        self._decode(b"", final=True)
        if not self.size:
            raise WrongFile("The file is empty; its first line must name the columns.")

    def _decode(self, piece: bytes, *, final: bool = False) -> None:
        try:
            self._decoder.decode(piece, final)
        except UnicodeDecodeError as fault:
            line = self._line_at(fault.object, fault.start)
            raise WrongFile(
                f"Line {line:,} is not UTF-8 (byte 0x{fault.object[fault.start]:02X}): the file is probably Latin-1 or"
                f" Windows-1252; {_CURE}"
            ) from None

    def _line_at(self, seen: bytes, at: int) -> int:
        return self.lines + seen.count(b"\n", 0, at) + 1

    def _measure(self, piece: bytes) -> None:
        """No line is longer than a row may be: also, a file without line ends is not kept in memory to find one."""
        for number, part in enumerate(piece.split(b"\n")):
            self._open = len(part) + (self._open if number == 0 else 0)
            if self._open > MAX_CSV_ROW_BYTES:
                line = self.lines + number + 1
                raise WrongFile(
                    f"Line {line:,} is longer than {MAX_CSV_ROW_BYTES:,} bytes; lines must end in LF or CRLF."
                )


class Lines:
    """The physical lines of a file in order, and where one stands. What has been read may be taken back."""

    def __init__(self, pieces: Iterable[bytes], *, offset: int = 0, line: int = 0) -> None:
        """`pieces` begin at byte `offset`, behind `line` physical lines."""
        self._pieces = iter(pieces)
        self._ready: deque[bytes] = deque()
        self._tail = b""
        #: Bytes and physical lines up to here.
        self.offset = offset
        self.line = line
        #: Lines of the record that is being read.
        self.record: list[bytes] = []
        self._record_bytes = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line with its end; raises `TooLong` where the record outgrows what a row may be."""
        if not self._ready and not self._refill():
            raise StopIteration
        raw = self._ready.popleft()
        self.record.append(raw)
        self._record_bytes += len(raw)
        self.offset += len(raw)
        self.line += 1
        if self._record_bytes > MAX_CSV_ROW_BYTES:
            raise TooLong
        return raw.decode() if self.offset != len(raw) else raw.decode("utf-8-sig")

    def begin_record(self) -> None:
        """What is read from here on belongs to the next record."""
        self.record.clear()
        self._record_bytes = 0

    def keep_first(self) -> None:
        """Take back all lines of this record but the first."""
        again = self.record[1:]
        self._ready.extendleft(reversed(again))
        self.offset -= sum(map(len, again))
        self.line -= len(again)

    def _refill(self) -> bool:
        """Cut the next piece into lines; what has no end yet waits for the piece after it."""
        while not self._ready:
            piece = next(self._pieces, None)
            if piece is None:
                if self._tail:
                    self._ready.append(self._tail)
                    self._tail = b""
                break
            *whole, self._tail = (self._tail + piece).split(b"\n")
            self._ready.extend(line + b"\n" for line in whole)
        return bool(self._ready)


class TooLong(Exception):
    """A record is longer than a row may be: most likely a quote was opened and not closed."""
