"""Where the counters of all processes are kept. Imported by config/apps.py before anything counts.

Each process writes to mmapped files of its own slot in CARILLON["METRICS_DIR"]. A slot is a number held by a file
lock: when its process dies the next one takes it over and counts on. So counters never go back, the number of files is
bounded by the processes alive at once, and nothing of the dead is left to be cleaned. (By default the client names its
files by pid: they pile up as pool children are replaced, and collide between containers.)
"""

from __future__ import annotations

import fcntl
import itertools
import os
from pathlib import Path

from django.conf import settings

DIRECTORY: Path = settings.CARILLON["METRICS_DIR"]
DIRECTORY.mkdir(parents=True, exist_ok=True)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(DIRECTORY)

from prometheus_client import values  # noqa: E402 - the directory is named before the client looks for it
from prometheus_client.mmap_dict import MmapedDict  # noqa: E402


class _Slot:
    """This process's slot; a forked child finds its parent's pid here and takes one of its own."""

    pid = 0
    number = -1
    lock = -1


def _slot() -> int:
    """The number of this process, unique among those alive."""
    if _Slot.pid != os.getpid():
        _take_slot()
    return _Slot.number


def _take_slot() -> None:
    if _Slot.lock >= 0:
        os.close(_Slot.lock)  # inherited through fork: the parent still holds the lock by its own descriptor
    for number in itertools.count():
        lock = _try_hold(number)
        if lock is not None:
            _Slot.pid, _Slot.number, _Slot.lock = os.getpid(), number, lock
            _drop_broken_files(number)
            return


def drop_broken_files() -> None:
    """Give up the unreadable files of processes that have died, whose slots nobody has taken over yet."""
    for file in DIRECTORY.glob("slot-*.lock"):
        number = int(file.stem.removeprefix("slot-"))
        lock = _try_hold(number)
        if lock is not None:
            _drop_broken_files(number)
            os.close(lock)


def _try_hold(number: int) -> int | None:
    """The descriptor that holds a slot's lock; None while a living process has it."""
    lock = os.open(DIRECTORY / f"slot-{number}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _drop_broken_files(number: int) -> None:
    """What a process that died in the middle of a write left unreadable is given up."""
    for file in DIRECTORY.glob(f"*_{number}.db"):
        try:
            list(MmapedDict.read_all_values_from_file(str(file)))  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001 - whatever is wrong with it, the process must start
            file.unlink(missing_ok=True)


values.ValueClass = values.MultiProcessValue(_slot)  # type: ignore[no-untyped-call]
