"""The keeper: one process per home, apart from every terminal, that looks after the embedded servers.

`python -m config.embedded.keeper HOME`. It goes into the background by itself once it holds its lock, keeps
each server whose users lock somebody holds, and leaves when nobody holds any.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from select import select
from time import monotonic, strftime

from config.embedded import record
from config.embedded.account import server_account
from config.embedded.choices import read_choices
from config.embedded.home import Home, prepared
from config.embedded.keeping import Kept
from config.embedded.locks import FileLock
from config.embedded.place import place_for
from config.embedded.postgres import Postgres
from config.embedded.server import Server, Site
from config.embedded.valkey import Valkey

#: Seconds between two looks at the users; the death of a server is noticed at once.
LOOK_EVERY = 0.5
#: Seconds between two looks at a server that is starting.
START_LOOK_EVERY = 0.01


class Keeper:
    """The loop."""

    def __init__(self, home: Home, *, grace: float) -> None:
        self._home = home
        account = server_account()
        written = record.load(home.servers)
        place = place_for(account, home.root, written.place)
        site = Site(place, home.logs, account)
        servers: tuple[Server, ...] = (Postgres(site), Valkey(site))
        self._record = record.Record(os.getpid(), str(place), {each.name: _before(written, each) for each in servers})
        self._kept = [
            Kept(
                each,
                self._record.servers[each.name],
                FileLock(home.users_lock(each.name)),
                grace=grace,
                publish=self._publish,
            )
            for each in servers
        ]
        self._alarm = _alarm_clock()
        self._told_to_stop = False

    def run(self) -> None:
        """Keep until nobody is left."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_soon)
        while not self._told_to_stop:
            changed = [each.look(monotonic()) for each in self._kept]
            if any(changed):
                self._publish()
            elif not any(each.is_running for each in self._kept) and self._is_over():
                return
            self._wait()
        for each in self._kept:
            each.stop()
        self._publish()

    def _is_over(self) -> bool:
        """Whether every server is abandoned; then the locks stay with us, so that nobody comes in between."""
        abandoned = [each for each in self._kept if each.is_abandoned()]
        if len(abandoned) == len(self._kept):
            return True
        for each in abandoned:
            each.return_to_users()
        return False

    def _wait(self) -> None:
        is_starting = any(each.is_starting for each in self._kept)
        woken, _, _ = select([self._alarm], [], [], START_LOOK_EVERY if is_starting else LOOK_EVERY)
        if woken:
            self._alarm.recv(4096)

    def _publish(self) -> None:
        record.save(self._home.servers, self._record)
        words = [f"{name}: {_in_words(state)}" for name, state in self._record.servers.items()]
        say("; ".join(words))

    def _stop_soon(self, number: int, frame: object) -> None:
        del number, frame
        self._told_to_stop = True


def _before(written: record.Record, server: Server) -> record.ServerState:
    """What is worth keeping of an earlier keeper's state: the address and the password."""
    earlier = written.servers.get(server.name, record.ServerState())
    return record.ServerState(port=earlier.port, password=earlier.password)


def _in_words(state: record.ServerState) -> str:
    if state.problem:
        return state.problem
    stage = "ready" if state.ready else "starting" if state.pid else "stopped"
    return f"{stage} (pid {state.pid}, port {state.port})"


def _alarm_clock() -> socket.socket:
    """A socket that becomes readable when a signal arrives, among them the death of a server."""
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    _WRITERS.append(writer)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)  # noqa: ARG005  only the wake-up counts
    return reader


#: Kept open for as long as the process lives.
_WRITERS: list[socket.socket] = []


def say(words: str) -> None:
    """One line in the keeper's log, which is where its standard error leads."""
    sys.stderr.write(f"{strftime('%Y-%m-%d %H:%M:%S')} {words}\n")
    sys.stderr.flush()


def leave_the_caller(lock: FileLock) -> None:
    """Take the keeper's lock, then end for the process that started us, and go on without it."""
    lock.hold()
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")


def main(arguments: Iterable[str]) -> None:
    """Keep the servers of the home named by the one argument."""
    (root,) = arguments
    home = prepared(Path(root))
    lock = FileLock(home.keeper_lock)
    grace = read_choices().keep_seconds
    leave_the_caller(lock)
    Keeper(home, grace=grace).run()
    say("nobody is left")


if __name__ == "__main__":
    main(sys.argv[1:])
