"""(f): the same way through the whole product, with other providers at its end: near ones, and 50 ms away."""

from __future__ import annotations

from typing import NamedTuple

from tests.bench.workload import APNS, SENDGRID, Way

#: Of the stand-in's answers, in milliseconds.
LATENCIES = (0, 50)
#: What a script of faults says to keep a stand-in from calling back: receipts are not what is measured.
NO_RECEIPTS = {"send": False}


class Route(NamedTuple):
    """One of the providers that are measured."""

    #: As the table calls it.
    title: str
    #: Begins the names of its runs.
    word: str
    way: Way


PUSH = Route("push, APNs", "apns", APNS)
MAIL = Route("e-mail, SendGrid", "mail", SENDGRID)
ROUTES = (PUSH, MAIL)
