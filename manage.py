#!/usr/bin/env python
"""Django's command line, and `up`, which must be able to refuse before Django and the servers are started."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from config.env import ConfigurationError
from config.supervise.command import main as up


def main() -> None:
    """Run one command; a fault of the configuration is one line and not a stack of calls."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        if sys.argv[1:] == ["up"]:
            sys.exit(up())
        execute_from_command_line(sys.argv)
    except ConfigurationError as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
