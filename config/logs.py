"""Structured logs: one JSON object a line on stdout (key=value on a terminal), with nothing private in it.

Our own events come from structlog; what libraries log through `logging` takes the same way. The ids of a call or a page
are bound to the context (`structlog.contextvars`), so that every line of its way carries them.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import IO, Any, cast

import msgspec
import sentry_sdk
import structlog
from celery.signals import setup_logging
from structlog.typing import EventDict, Processor, WrappedLogger

from config.masking import mask_fields, mask_text

#: Libraries that tell every step they take; what goes wrong they still say.
_QUIET = ("amqp", "celery", "django", "granian", "kombu", "urllib3", "whitenoise")

_encode = msgspec.json.Encoder(enc_hook=str).encode


class _Lines:
    """Writes whole lines. A reader that has gone away must not take a worker with it."""

    stream: IO[bytes]

    def msg(self, line: str) -> None:
        """One write and one flush: lines of several threads do not mix."""
        try:
            self.stream.write(line.encode("utf-8", "backslashreplace") + b"\n")
            self.stream.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = exception = log = msg


#: The one output of this process: loggers that were made before `install` hold it too.
_out = _Lines()


class _Bridge(logging.Handler):
    """Takes what libraries log through the standard library the same way as our own events."""

    def __init__(self, processors: list[Processor]) -> None:
        super().__init__()
        self._processors = processors

    def emit(self, record: logging.LogRecord) -> None:
        """Render a record; a broken one is told as such instead of raising into the library."""
        event: EventDict = {"event": _message_of(record), "logger": record.name, "level": record.levelname.lower()}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        rendered: Any = event
        for processor in self._processors:
            rendered = processor(_out, record.levelname.lower(), rendered)
        _out.msg(rendered)


def configure(options: Mapping[str, str]) -> None:
    """Django's LOGGING_CONFIG: called once per process with settings.LOGGING."""
    stream = sys.__stdout__
    assert stream is not None, "stdout is closed"
    install(options["level"], cast("IO[bytes]", stream.buffer), terminal=stream.isatty())
    setup_logging.connect(_leave_alone)


def install(level: str, stream: IO[bytes], *, terminal: bool) -> None:
    """Send everything of `level` and above to `stream`."""
    render = _render_for_people() if terminal else _render_json
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_process,
        _report,
        structlog.processors.format_exc_info,
        _mask_fields,
        render,
    ]
    _out.stream = stream
    structlog.configure(
        processors=[structlog.processors.add_log_level, *shared],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: _out,
        cache_logger_on_first_use=True,
    )
    _take_over_standard_logging(_Bridge(shared), threshold)


def _leave_alone(**_: Any) -> None:
    """Celery configures logging of its own unless somebody listens to this signal."""


def _take_over_standard_logging(bridge: _Bridge, threshold: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [bridge]
    root.setLevel(threshold)
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a library's format string and its arguments do not fit: say so, go on
        return f"{record.msg} (arguments do not fit)"


def _add_process(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    event["process"] = os.environ.get("CARILLON_PROCESS", "command")
    return event


def _report(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """What is logged with its traceback is also reported, where config/sentry.py has set that up."""
    if event.get("exc_info") and event.get("level") in ("error", "critical"):
        given = event["exc_info"]
        sentry_sdk.capture_exception(given if isinstance(given, (BaseException, tuple)) else None)
    return event


def _mask_fields(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    masked: EventDict = mask_fields(event)
    return masked


def _render_json(_logger: WrappedLogger, _name: str, event: MutableMapping[str, Any]) -> str:
    return mask_text(_encode(event).decode())


def _render_for_people() -> Callable[[WrappedLogger, str, EventDict], str]:
    console = structlog.dev.ConsoleRenderer(pad_event_to=24)

    def render(logger: WrappedLogger, name: str, event: EventDict) -> str:
        return mask_text(console(logger, name, event))

    return render
