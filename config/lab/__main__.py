"""`python -m config.lab`: the stand-ins without Django, for tests."""

from __future__ import annotations

import argparse

from config.lab.options import add_arguments, options_of
from config.lab.serving import serve

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Stand-ins of providers on loopback.")
    add_arguments(parser)
    serve(options_of(vars(parser.parse_args())))
