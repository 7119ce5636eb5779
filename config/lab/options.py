"""The lab's command line, the same with Django and without."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.lab.serving import LabOptions


def add_arguments(parser: ArgumentParser) -> None:
    """Every option of the lab."""
    parser.add_argument("--fcm-port", type=int, default=0, help="FCM over TLS, HTTP/2 or 1.1 (0: any free port)")
    parser.add_argument("--fcm-plain-port", type=int, default=0, help="FCM in cleartext (0: any free port)")
    parser.add_argument("--smtp-port", type=int, default=0, help="SMTP (0: any free port)")
    parser.add_argument("--folder", type=Path, help="keep certificates and mails here instead of removing them")
    parser.add_argument("--ledger-file", type=Path, help="also append every accepted push to this file")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")


def options_of(arguments: Mapping[str, Any]) -> LabOptions:
    """What the arguments say."""
    return LabOptions(**{name: arguments[name] for name in LabOptions.__struct_fields__})
