"""A file of people through `manage.py import_people`: by hand `python -m tests.bench.imports [ROWS]`.

Every person has an e-mail address, a phone number, three words and two attributes, and gets a data key of their own.
"""

from __future__ import annotations

import re
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.processes import Meter
from tests.bench.results import ImportResult
from tests.bench.stack import Stack

_HEADER = "user_id,email,phone,locale,timezone,country_code,attributes.plan,attributes.age\n"
_SAID = re.compile(r"^([\d,]+) people created, ([\d,]+) updated, ([\d,]+) rows refused in ([\d.]+) s", re.MULTILINE)
_DEFAULT = 200_000


def measure_imports(stack: Stack, rows: int) -> ImportResult:
    """Import people nobody knows, and then the same file again."""
    with tempfile.TemporaryDirectory() as folder, Meter(stack.roots()) as meter:
        file = Path(folder) / "people.csv"
        write_people(file, rows, tag=str(time.time_ns()))
        first, again = (_seconds(stack.run("manage.py", "import_people", str(file)), rows) for _ in range(2))
        size = file.stat().st_size
    return ImportResult(
        rows=rows,
        bytes=size,
        seconds=first,
        per_second=rows / first,
        again_per_second=rows / again,
        strangers=meter.strangers,
    )


def write_people(file: Path, rows: int, tag: str) -> None:
    """A file of people whose ids begin with `tag`."""
    with file.open("w", encoding="utf-8") as target:
        target.write(_HEADER)
        target.writelines(
            f"{tag}-{n},person{n}@example.com,+44770{n % 10}{n % 1_000_000:06d},en-GB,Europe/London,GB,gold,{n % 90}\n"
            for n in range(rows)
        )


def _seconds(said: str, rows: int) -> float:
    """What the command says it took, if it wrote everybody."""
    found = _SAID.search(said)
    if found is None or sum(int(one.replace(",", "")) for one in found.groups()[:2]) != rows:
        raise SystemExit(f"bench: not everybody was imported: {said}")
    return float(found[4])


def _main(rows: int) -> None:
    """By hand, against the database of the environment: what the command says, and what it took of this machine."""
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "people.csv"
        write_people(file, rows, tag=str(time.time_ns()))
        subprocess.run([sys.executable, "manage.py", "import_people", str(file)], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (used.ru_utime + used.ru_stime) / rows * 1e6
    print(f"{cpu:.1f} us of CPU a row, start included; {used.ru_maxrss / 1024:.0f} MiB at the most")


if __name__ == "__main__":
    _main(int(sys.argv[1]) if len(sys.argv) > 1 else _DEFAULT)
