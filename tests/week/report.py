"""The figures of a week in docs/week.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
#: Figures that are tables of their own.
_BY_WORD = ("deliveries", "reasons", "stage")


def write(found: dict[str, Any], path: Path) -> None:
    """Put the figures between their marks, in place of what was there."""
    before, _, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    path.write_text(f"{before}{_BEGIN}\n\n{_tables(found)}\n\n{_END}{after}", encoding="utf-8")


def _tables(found: dict[str, Any]) -> str:
    """What happened, what was checked, and what became of the deliveries."""
    figures = found["figures"]
    plain = {name: value for name, value in figures.items() if name not in _BY_WORD}
    work = {f"the program: {name}": value for name, value in figures["stage"].items()}
    checks = found["checks"] | {"violations": len(found["violations"])}
    return "\n\n".join(
        [
            _table("what happened", plain | work),
            _table("what was checked", checks),
            _table("status of a delivery", figures["deliveries"]),
            _table("reason, where it did not go out", figures["reasons"]),
        ]
    )


def _table(head: str, rows: dict[str, int]) -> str:
    lines = [f"| {head} | times |", "| --- | --- |", *(f"| {name} | {value:,} |" for name, value in rows.items())]
    return "\n".join(lines)
