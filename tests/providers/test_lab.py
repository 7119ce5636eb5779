from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from channels import registry
from channels.rules.accounts import Account
from channels.rules.magic import FORTUNES
from channels.vocabulary import Channel, Platform, PushMessage
from config.lab import faults, smtp
from tests.providers.conformance import build, delivery_id, soon
from tests.providers.conftest import ROOT, Lab

DOCS = (ROOT / "docs" / "providers.md").read_text()


def push(number: int) -> PushMessage:
    return PushMessage(id=delivery_id(number), token=f"t{number}", platform=Platform.ANDROID, title="Hi", body="words")


def test_a_caller_without_a_token_is_refused(lab: Lab) -> None:
    answer = requests.post(f"{lab.control}/v1/projects/carillon-lab/messages:send", data=b"{}", timeout=5)
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert lab.summary()["refusals"] == {"unauthenticated": 1}


@pytest.mark.parametrize("assertion", ["", "nonsense", "eyJhbGciOiJub25lIn0.e30."])
def test_an_assertion_of_nobody_we_know_gets_no_token(lab: Lab, assertion: str) -> None:
    answer = requests.post(f"{lab.control}/token", data={"assertion": assertion}, timeout=5)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def bearer(lab: Lab) -> str:
    adapter: Any = build(lab.fcm())
    adapter.send_many([push(1)], deadline=soon())
    token: str = adapter._tokens.token()
    return f"Bearer {token}"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"token": ""},
        {"token": 5},
        {"token": "t", "titel": "typo"},
        {"token": "t", "data": {"from": "x"}},
        {"token": "t", "data": {"google.x": "x"}},
        {"token": "t", "data": {"number": 5}},
        {"token": "t", "data": {"large": "x" * 4096}},
    ],
)
def test_what_google_refuses_is_refused(lab: Lab, message: dict[str, Any]) -> None:
    url = f"{lab.control}/v1/projects/carillon-lab/messages:send"
    answer = requests.post(url, json={"message": message}, headers={"Authorization": bearer(lab)}, timeout=5)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert lab.summary()["requests"] == 1


@pytest.mark.parametrize("script", [b"{", b'{"latency": 5}', b'{"faults": [{"answer": "lightning"}]}'])
def test_a_script_that_makes_no_sense_is_refused(lab: Lab, script: bytes) -> None:
    assert requests.post(f"{lab.control}/__faults", data=script, timeout=5).status_code == 400


def test_a_fault_strikes_as_many_as_it_should(lab: Lab) -> None:
    lab.script(faults=[{"answer": "internal", "count": 7}])
    outcomes = [one.outcome for one in build(lab.fcm()).send_many([push(n) for n in range(50)], deadline=soon())]
    assert outcomes.count("transient") == 7
    assert lab.summary()["refusals"] == {"internal": 7}


def test_the_ledger_can_be_read_while_it_is_written(lab: Lab) -> None:
    adapter = build(lab.fcm())
    with ThreadPoolExecutor(1) as threads:
        sending = [
            threads.submit(adapter.send_many, [push(500 * page + n) for n in range(500)], deadline=soon())
            for page in range(6)
        ]
        sizes = [len(lab.ledger())]
        while not all(page.done() for page in sending):
            sizes.append(len(lab.ledger()))
    assert sizes == sorted(sizes)
    summary = lab.summary()
    assert (summary["deliveries"], summary["repeats"]) == (3000, 0)


def test_a_repeat_is_seen(lab: Lab) -> None:
    adapter = build(lab.fcm())
    for _ in range(3):
        adapter.send_many([push(1)], deadline=soon())
    summary = lab.summary()
    assert (summary["deliveries"], summary["requests"], summary["repeats"]) == (1, 3, 2)


@pytest.mark.parametrize("words", [["-m", "config.lab"], ["manage.py", "provider_lab"]])
def test_the_command_says_where_it_is_stops_when_told_and_leaves_only_its_ledger(
    tmp_path: Path, words: list[str]
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    command = [sys.executable, *words, "--ledger-file", str(ledger)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        places = json.loads(process.stdout.readline())
        account = Lab(places).fcm(name=words[-1].replace(".", "-"))
        build(account).send_many([push(1), push(2)], deadline=soon())
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert not Path(places["ca_file"]).parent.exists()
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert {line[1] for line in lines} == {str(delivery_id(1)), str(delivery_id(2))}


@pytest.mark.parametrize("time", range(3))
def test_told_to_stop_in_a_rush_it_stops_and_says_nothing(time: int) -> None:
    """More wake-ups from the server's threads than the loop's pipe holds: a signal must not be lost among them."""
    del time
    command = [sys.executable, "-m", "config.lab"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        place = json.loads(process.stdout.readline())["vonage"]
        secret = Path(place["api_secret_file"]).read_text()
        form = f"api_key={place['api_key']}&api_secret={secret}&to=447700900123&from=Carillon&text=hello"
        assert asyncio.run(rush_and_stop(process, place["plain_url"], form)) == (0, b"")


async def rush_and_stop(process: subprocess.Popen[bytes], url: str, form: str) -> tuple[int, bytes]:
    """Send for all it is worth, and tell it to stop; its exit code, and what it complained of."""
    place = urlsplit(url)
    head = f"POST {place.path}/sms/json HTTP/1.1\r\nhost: lab\r\ncontent-length: {len(form)}\r\n"
    request = f"{head}content-type: application/x-www-form-urlencoded\r\n\r\n{form}".encode()
    callers = [asyncio.create_task(ask_on_and_on(place.port or 0, request)) for _ in range(700)]
    await asyncio.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    try:
        _, complaints = await asyncio.to_thread(process.communicate, timeout=20)
    finally:
        process.kill()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    return process.returncode, complaints


async def ask_on_and_on(port: int, request: bytes) -> None:
    """Some requests after the others, as long as there is an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        answer = b"?"
        while answer:
            writer.write(request * 4)
            answer = await reader.read(65_536)
    except OSError:
        return
    finally:
        writer.close()


def test_the_docs_have_every_magic_word() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d\d) \|", DOCS, flags=re.MULTILINE)
    assert rows == [(word, f"{number:02}") for number, word in enumerate(FORTUNES)]


def test_the_docs_have_every_answer_and_refusal_of_the_lab() -> None:
    lab_docs = DOCS.partition("## The provider lab")[2]
    for word in (*faults.ANSWERS, *smtp.REFUSALS, "hang", "reset_before", "reset_after"):
        assert f"`{word}`" in lab_docs


@pytest.mark.parametrize("adapter", ["fcm", "smtp", "sendgrid", "ses", "inbox", "sandbox"])
def test_the_docs_have_every_option_and_secret(adapter: str) -> None:
    row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{adapter}` |"))
    channels = {"fcm": "push", "inbox": "in_app", "sandbox": "sms"}
    account = Account(name="x", adapter=adapter, channel=Channel(channels.get(adapter, "email")))
    can = registry.adapter_class(account).capabilities
    for name in (*can.options, *can.secrets, *can.optional_secrets):
        assert f"`{name}`" in row
