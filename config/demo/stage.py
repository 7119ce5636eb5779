"""What the demo runs on: the providers' stand-ins, and the whole platform as `make up` starts it."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any, Self

import msgspec

from config import env
from config.demo.place import DemoFault, Place
from config.demo.program import Program
from config.demo.providers import accounts_file, prepare
from config.supervise.guard import Guard
from config.supervise.plan import WORKER_GRACE

#: Seconds the platform may take to stop: those of its slowest worker, and some for itself.
STOP_LIMIT = WORKER_GRACE + 10.0
_USUAL_PORT = 8000


class Stage:
    """A context: the stand-ins and the platform run inside it, and nothing of them is left after it.

    Should this program be killed, the guard stops them.
    """

    def __init__(self, place: Place) -> None:
        self.port = _port()
        self.place = place
        self._guard = Guard(grace=STOP_LIMIT)
        self._programs: list[Program] = []
        #: Of the browser among the stand-ins, as its page would post it.
        self.subscription = ""

    def __enter__(self) -> Self:
        self._guard.start()
        try:
            places = self._start_lab()
            self.place.providers.write_text(accounts_file(places), encoding="utf-8")
            self.subscription = prepare(places, self.url)
            self._start_platform()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the platform, then the stand-ins; a second request ends the platform's patience."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        for program in reversed(self._programs):
            program.ask_to_stop()
            program.wait_for_end(STOP_LIMIT)
        self._guard.dismiss()

    @property
    def url(self) -> str:
        """Where the platform answers."""
        return f"http://127.0.0.1:{self.port}"

    def check(self) -> None:
        """Raise `DemoFault` when something of it is gone."""
        for program in self._programs:
            program.check()

    def _start_lab(self) -> dict[str, Any]:
        """Start the stand-ins; answers where they are."""
        words = ["-m", "config.lab", "--with-parent", "--folder", str(self.place.lab)]
        lab = Program("The stand-in of the providers", words, self.place.lab_log, self._guard)
        self._programs.append(lab)
        line = lab.first_line
        if not line:
            raise lab.fault("did not start")
        places: dict[str, Any] = msgspec.json.decode(line)
        return places

    def _start_platform(self) -> None:
        environment = {
            "CARILLON_PROVIDERS_FILE": str(self.place.providers),
            "CARILLON_PUBLIC_URL": self.url,  # where receipts come in
            "PORT": str(self.port),
        }
        words = ["manage.py", "up"]
        self._programs.append(Program("The platform", words, self.place.platform_log, self._guard, environment))

    def _ask_to_stop(self, *_: object) -> None:
        for program in self._programs:
            program.ask_to_stop()


def _port() -> int:
    """The port that is asked for, else the usual one where it is free, else any free one."""
    if not os.environ.get("PORT"):
        return _free_port(_USUAL_PORT) or _free_port(0)
    asked = env.integer("PORT", _USUAL_PORT, minimum=1, maximum=65_535)
    if not _free_port(asked):
        raise DemoFault(f"Another program listens on PORT={asked}. Name a free port, or leave it to the demo.")
    return asked


def _free_port(port: int) -> int:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return 0
        return int(listener.getsockname()[1])
