"""`manage.py demo`: start everything, tell the story, say what became of it, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from types import FrameType

from django.conf import settings
from django.db import connections
from rich.console import Console

from config.demo import report
from config.demo.client import Api, Trace
from config.demo.entrance import let_in
from config.demo.findings import latencies, mismatches
from config.demo.people import people
from config.demo.place import Access, DemoFault, Place
from config.demo.progress import progress_on
from config.demo.settling import settle_in
from config.demo.stage import Stage
from config.demo.story import story
from config.demo.watching import Watch
from config.embedded.choices import read_choices
from config.embedded.home import Home
from config.embedded.joining import leave
from config.embedded.locks import is_held

#: Seconds until every pool must have answered a heartbeat; a slow machine takes half a minute.
START_LIMIT = 120.0
_LOOK_EVERY = 0.1
#: Embedded servers that outlive their users by more seconds than this are meant to be kept.
_LONGEST_FAREWELL = 10.0
_SERVERS_STOP_LIMIT = 8.0
_INTERRUPTED = 130


class Demo:
    """One run."""

    def __init__(self, console: Console, stage: Stage) -> None:
        self._console = console
        self._place = stage.place
        self._stage = stage
        self._run = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
        self._people = people(self._run.removeprefix("demo-"), stage.subscription)

    def play(self, *, stay: bool) -> bool:
        """From the first process to the last word; answers whether all came out as it should."""
        self._wait_until_ready()
        access = let_in(self._place, self._stage.url)
        api = Api(self._stage.url, access.api_key)
        self._settle_in(api)
        watch = self._tell(api)
        return self._report(api, watch, access, stay=stay)

    def _wait_until_ready(self) -> None:
        began, api, pause = monotonic(), Api(self._stage.url), Event()
        with self._console.status("Starting the web, five pools of workers, beat …"):
            while not api.is_answered("/readyz"):
                self._stage.check()
                if monotonic() - began > START_LIMIT:
                    raise DemoFault(
                        f"The platform was not ready after {START_LIMIT:.0f} s: see {self._place.platform_log}"
                    )
                pause.wait(_LOOK_EVERY)
        words = f"The platform is up after {monotonic() - began:.0f} s: web, five pools of workers, beat."
        report.tick(self._console, words)

    def _settle_in(self, api: Api) -> None:
        settle_in(api, self._people)
        zones = len({person.timezone for person in self._people})
        words = (
            f"{len(self._people)} people in {zones} zones are there, with devices, preferences, types and templates."
        )
        report.tick(self._console, words)

    def _tell(self, api: Api) -> Watch:
        report.heading(self._console, "Telling them, on push, e-mail, SMS and in the app")
        with progress_on(self._console) as progress:
            watch = Watch(api, self._run, progress.show)
            watch.tell_all(story(self._people))
        return watch

    def _report(self, api: Api, watch: Watch, access: Access, *, stay: bool) -> bool:
        wrong = mismatches(watch.followed, len(list(self._place.mails.glob("*.eml"))))
        report.outcome(self._console, self._people, watch.followed)
        report.lessons(self._console, self._people, [person for person, _ in wrong])
        report.latency(self._console, latencies(watch.followed))
        example = next(one for one in watch.followed if one.person.has_dead_token)
        report.example(self._console, example, api.get(f"/v1/notifications/{example.id}/trace", Trace))
        url = self._stage.url if stay else settings.PUBLIC_URL
        report.where_next(self._console, url, self._place, access, is_up=stay)
        self._console.print()
        for _, sentence in wrong:
            report.tick(self._console, sentence, is_well=False)
        return not wrong


def run(home: Home, *, stay: bool | None) -> int:
    """Run the demo in this home; answers the exit code. Without a wish it stays up where somebody watches."""
    console = _console()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    report.opening(console)
    if is_held(home.up_lock):
        problem = f"Carillon is running already on {home.root} (make up, or another demo)."
        report.tick(console, f"{problem} Stop it first, or set CARILLON_HOME to another folder.", is_well=False)
        return 1
    try:
        return _run_on_stage(console, home, stay=console.is_terminal if stay is None else stay)
    except (DemoFault, KeyboardInterrupt) as end:
        return _cut_short(console, end)
    finally:
        with suppress(KeyboardInterrupt):
            _leave_servers(home)


def _run_on_stage(console: Console, home: Home, *, stay: bool) -> int:
    with Stage(Place.below(home.root)) as stage:
        code = _perform(console, Demo(console, stage), stage, stay=stay)
        console.print("Stopping everything …")
    return code


def _perform(console: Console, demo: Demo, stage: Stage, *, stay: bool) -> int:
    """The demo, and what comes after it; answers the exit code."""
    try:
        is_well = demo.play(stay=stay)
        console.print("All came out as it should." if is_well else "Not everything came out as it should; see above.")
        if stay:
            with suppress(KeyboardInterrupt):
                console.print("Everything stays up until you press Ctrl-C.")
                _stay(stage)
    except (DemoFault, KeyboardInterrupt) as end:
        return _cut_short(console, end)
    return 0 if is_well else 1


def _cut_short(console: Console, end: DemoFault | KeyboardInterrupt) -> int:
    """Say why it ended early; answers the exit code."""
    if isinstance(end, DemoFault):
        report.fault(console, end)
        return 1
    console.print("\nInterrupted.")
    return _INTERRUPTED


def _stay(stage: Stage) -> None:
    pause = Event()
    while not pause.wait(_LOOK_EVERY):
        stage.check()


def _console() -> Console:
    """Standard output, which may not know all our signs."""
    with suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a test may have put something else there
    return Console(highlight=False, soft_wrap=False)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _leave_servers(home: Home) -> None:
    """Wait until the embedded servers have stopped, which they do when nobody uses them any more."""
    connections.close_all()
    leave(home)
    kept = read_choices().keep_seconds
    if kept > _LONGEST_FAREWELL:
        return
    end, pause = monotonic() + kept + _SERVERS_STOP_LIMIT, Event()
    while is_held(home.keeper_lock) and monotonic() < end:
        pause.wait(_LOOK_EVERY)
