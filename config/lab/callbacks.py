"""The stand-ins' own calls to Carillon: receipts, late, twice, out of order or never, as they are told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom

import msgspec
import requests

#: Calls at once; a provider has many machines.
_WORKERS = 8
_TIMEOUT_SECONDS = 10.0
#: As real providers do: again after a failure, a few times.
_TRIES = 5


class ReceiptScript(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How the receipts of a stand-in behave."""

    #: False: none is sent.
    send: bool = True
    #: Milliseconds after which the first one goes out; each further event of a message as much later.
    delay_ms: float = 50.0
    #: How often each is sent.
    copies: int = 1
    #: Later events may come before earlier ones.
    shuffle: bool = False


class Outgoing(msgspec.Struct, frozen=True):
    """One callback, ready to be posted."""

    url: str
    headers: dict[str, str]
    body: bytes


class Callbacks:
    """Posts receipts in the background of the lab's event loop."""

    def __init__(self) -> None:
        self._scripts: dict[str, ReceiptScript] = {}
        self._pool = ThreadPoolExecutor(_WORKERS)
        self._session = requests.Session()
        self._session.trust_env = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._chance = SystemRandom()
        #: `<stand-in> <status>` → how many were answered so; status 0: nobody answered.
        self.answered: Counter[str] = Counter()

    def script(self, name: str, script: ReceiptScript) -> None:
        """How a stand-in's receipts behave from now on."""
        self._scripts[name] = script

    def send(self, name: str, make: Callable[[], Outgoing], step: int = 0) -> None:
        """Post what `make` makes, when its time has come: signatures may cover that time.

        `step` is the event's place among those of its message, from 0.
        """
        script = self._scripts.get(name) or ReceiptScript()
        if not script.send:
            return
        for _ in range(script.copies):
            place = self._chance.uniform(0, step + 1) if script.shuffle else step + 1
            task = asyncio.get_running_loop().create_task(self._post(name, make, place * script.delay_ms / 1000))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _post(self, name: str, make: Callable[[], Outgoing], wait: float) -> None:
        await asyncio.sleep(wait)
        for attempt in range(_TRIES):
            status = await asyncio.get_running_loop().run_in_executor(self._pool, self._call, make())
            self.answered[f"{name} {status}"] += 1
            if 0 < status < 500:  # noqa: PLR2004 - HTTP: a refusal stands, a fault is tried again
                return
            await asyncio.sleep(0.2 * 2**attempt)

    def _call(self, out: Outgoing) -> int:
        try:
            answer = self._session.post(out.url, data=out.body, headers=out.headers, timeout=_TIMEOUT_SECONDS)
        except requests.RequestException:
            return 0
        return answer.status_code

    def close(self) -> None:
        """Give up what has not been sent."""
        for task in self._tasks:
            task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._session.close()
