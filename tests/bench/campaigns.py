"""(j): campaigns of growing audiences, one with one-time passwords beside it, and one by e-mail."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.bench.campaign import measure_campaign, urgent_calls
from tests.bench.database import Database
from tests.bench.lab import Lab
from tests.bench.people import settle_readers
from tests.bench.proof import Expected, Sent
from tests.bench.readers import By, Told, population_of
from tests.bench.results import CampaignResult, LatencyResult
from tests.bench.stack import Stack
from tests.bench.ways import NO_RECEIPTS
from tests.bench.workload import URGENT


class Campaigns:
    """The campaigns in their order; people join before each, so that every one is told to all there are.

    `prove` is given what has just been sent, and empties the ledgers: a million entries are kept no longer than needed.
    """

    def __init__(
        self, stack: Stack, lab: Lab, database: Database, *, population: int, prove: Callable[[list[Expected]], None]
    ) -> None:
        self._stack, self._lab, self._database = stack, lab, database
        #: Of those who are told urgently.
        self._population = population
        self._prove = prove
        self._there = 0
        self.latency: LatencyResult | None = None

    def warm_up(self, audience: int) -> None:
        """Have every process load what it loads once; comes first."""
        self._last = self._tell(Told("warmnews", By.PUSH, population_of(audience)), None)

    def push(self, audience: int) -> CampaignResult:
        """Tell so many by push."""
        self._last = self._tell(Told(f"news{audience}", By.PUSH, population_of(audience)), None)
        return self._last

    def push_to_some(self, people: int) -> CampaignResult:
        """Have so many in the table, and tell those of them with an e-mail address by push."""
        return self._tell(Told("some", By.PUSH, people, only_mailed=True), None)

    def push_beside(self) -> CampaignResult:
        """Tell those with an e-mail address by push, while urgent ones come one by one.

        By itself: an urgent one alone on its page costs as much as a hundred of a campaign.
        """
        told = Told("besides", By.PUSH, self._there, only_mailed=True)
        calls = urgent_calls(sum(1 for _ in told.members()), self._last)
        return self._tell(told, Sent("otps", calls, self._population, URGENT))

    def mail(self) -> CampaignResult:
        """Tell all there are who have an e-mail address."""
        self._lab.script("sendgrid", receipts=NO_RECEIPTS)
        return self._tell(Told("mails", By.EMAIL, self._there), None)

    def _tell(self, told: Told, urgent: Sent | None) -> CampaignResult:
        filled = self._fill(told.population)
        measured = measure_campaign(self._stack, self._lab, self._database, told, filled, urgent)
        if urgent is not None:
            self.latency = measured.urgent
        self._prove([told] if urgent is None else [told, urgent])
        return measured.campaign

    def _fill(self, population: int) -> float:
        """Seconds it took to create those who are not there yet."""
        began = time.monotonic()
        if population > self._there:
            settle_readers(self._stack, self._there, population)
            self._there = population
        return time.monotonic() - began
