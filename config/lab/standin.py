"""What every HTTP stand-in has in common: a ledger, a script of faults, and the paths that read and set them.

A stand-in lives under a path of its own (`/twilio/…`), on one TLS port and one in cleartext, all in one process. Its
own paths are what the provider's are, so that `base_url = "https://127.0.0.1:<port>/twilio"` is all an account needs.
Beside them, for tests and for people: `GET __ledger`, `GET __ledger/summary`, `GET __ledger/short` (packed marks),
`GET __ledger/refusals` (instants), `POST __faults` (a Script) and `POST __reset`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from random import SystemRandom
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import msgspec
import orjson

from config.lab.callbacks import Callbacks
from config.lab.connections import cut_connection
from config.lab.faults import Answer, Fault, Headers, Script
from config.lab.ledger import Ledger

JSON: Headers = [("content-type", "application/json; charset=UTF-8")]
BYTES: Headers = [("content-type", "application/octet-stream")]
#: Faults that are no answers.
_SILENT = frozenset({"hang", "reset_before", "reset_after"})
_decode_script = msgspec.json.Decoder(Script).decode


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request to a stand-in."""

    method: str
    #: Below the stand-in's own prefix; begins with "/".
    path: str
    query: str
    #: Case-insensitive `.get(name)`.
    headers: Any
    body: bytes
    #: The other end, `host:port`.
    client: str
    #: As the client sees it, without the stand-in's prefix: `https` or `http`, and the Host header.
    scheme: str
    host: str

    @property
    def form(self) -> list[tuple[str, str]]:
        """The body as a form."""
        return parse_qsl(self.body.decode("latin-1"), keep_blank_values=True)


class StandIn:
    """One provider's stand-in."""

    #: The first part of its paths; the key of its entry in what the lab prints.
    name: ClassVar[str]
    #: What a script's `answer` may name, beside `hang`, `reset_before` and `reset_after` (acceptance).
    answers: ClassVar[Mapping[str, Answer]]

    def __init__(self, ledger: Ledger, callbacks: Callbacks) -> None:
        self.ledger = ledger
        self.callbacks = callbacks
        self.script = Script()
        self.chance = SystemRandom()
        self._controls: dict[tuple[str, str], Callable[[bytes], Answer]] = {
            ("GET", "/__ledger"): lambda _: Answer(200, JSON, self.ledger.dump()),
            ("GET", "/__ledger/summary"): lambda _: json_answer(self.ledger.summary()),
            ("GET", "/__ledger/short"): lambda _: Answer(200, BYTES, self.ledger.short()),
            ("GET", "/__ledger/refusals"): lambda _: Answer(200, JSON, self.ledger.instants()),
            ("POST", "/__faults"): self._set_script,
            ("POST", "/__reset"): self._reset,
        }

    def place(self, base_url: str, plain_url: str, folder: Path) -> dict[str, Any]:
        """What a client needs to know: both addresses, the credentials that are taken; secret files go to `folder`."""
        raise NotImplementedError

    async def answer(self, call: Call) -> Answer | None:
        """What the provider would answer; None: never anything, status 0: the connection is gone."""
        raise NotImplementedError

    async def handle(self, call: Call) -> Answer | None:
        """The answer to one request, after the latency that is scripted."""
        control = self._controls.get((call.method, call.path))
        if control is not None:
            return control(call.body)
        if self.script.latency_ms:
            await asyncio.sleep(self.script.latency_ms / 1000)
        return await self.answer(call)

    def struck(self, address: str) -> Fault | None:
        """The scripted fault that hits a message to this address, if any."""
        return self.script.strike(address, self.chance) if self.script.faults else None

    def suffer(self, fault: Fault, call: Call, accept: Callable[[], object]) -> Answer | None:
        """What a struck request gets; `accept` enters it into the ledger where the fault comes after acceptance."""
        if fault.answer in {"hang", "reset_after"}:
            accept()
        if fault.answer == "hang":
            return None
        if fault.answer in _SILENT:
            cut_connection(call.client)
            return Answer(0, [], b"")
        status, headers, body = self.refused(fault.answer)
        if fault.retry_after is not None:
            headers = [*headers, ("retry-after", fault.retry_after)]
        return Answer(status, headers, body)

    def refused(self, word: str) -> Answer:
        """One of the stand-in's own answers, counted."""
        self.ledger.refuse(word)
        return self.answers[word]

    def scripted(self) -> None:
        """Called when another script is in force."""

    def _set_script(self, body: bytes) -> Answer:
        try:
            script = _decode_script(body)
        except msgspec.MsgspecError as fault:
            return json_answer({"error": str(fault)}, 400)
        known = {*self.answers, *_SILENT}
        strange = [fault.answer for fault in script.faults if fault.answer not in known]
        if strange:
            wrong = f"unknown answer {strange[0]}; known are {', '.join(sorted(known))}"
            return json_answer({"error": wrong}, 400)
        self.script = script
        self.callbacks.script(self.name, script.receipts)
        self.scripted()
        return json_answer({})

    def _reset(self, body: bytes) -> Answer:
        del body
        self.ledger.reset()
        self.script = Script()
        self.callbacks.script(self.name, self.script.receipts)
        self.scripted()
        return json_answer({})


class Mounted:
    """All stand-ins as one RSGI application: the first part of the path decides; the rest is for who is at home."""

    def __init__(self, at_home: Any, stand_ins: Mapping[str, StandIn]) -> None:
        self._at_home = at_home
        self._stand_ins = stand_ins

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer one request."""
        name, _, rest = scope.path[1:].partition("/")
        stand_in = self._stand_ins.get(name)
        if stand_in is None:
            await self._at_home.__rsgi__(scope, proto)
            return
        call = Call(
            method=scope.method,
            path=f"/{rest}",
            query=scope.query_string,
            headers=scope.headers,
            body=await proto(),
            client=scope.client,
            scheme=scope.scheme,
            host=scope.authority or scope.headers.get("host") or "",
        )
        answered = await stand_in.handle(call)
        if answered is None:
            await asyncio.Event().wait()  # hang: the peer's patience ends first
        elif answered.status:
            proto.response_bytes(*answered)


def json_answer(value: Any, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status, JSON, orjson.dumps(value))
