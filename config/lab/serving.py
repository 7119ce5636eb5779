"""Start the stand-ins in this process, say where they are, and run until told to stop."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP2Settings
from granian.server.embed import Server

from config.lab import stand_ins
from config.lab.callbacks import Callbacks
from config.lab.connections import cut_connections
from config.lab.fcm import FcmStandIn
from config.lab.identities import PROJECT_ID, Identities, make_identities, make_service_account
from config.lab.ledger import Ledger
from config.lab.smtp import PASSWORD, USERNAME, MailSink, mail_server
from config.lab.standin import Mounted, StandIn

#: Streams one HTTP/2 connection may have open, like a generous provider's.
_STREAMS = 1000
#: Seconds between two writes of the ledgers' files.
_FLUSH_SECONDS = 0.05


class LabOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `provider_lab` was asked for; a port of 0 is any free one."""

    fcm_port: int = 0
    fcm_plain_port: int = 0
    smtp_port: int = 0
    #: Where certificates and mails go; None: a folder that goes with the lab.
    folder: Path | None = None
    #: Also append every accepted push to this file.
    ledger_file: Path | None = None
    #: Stop when standard input ends, which it does when the parent dies.
    with_parent: bool = False


def serve(options: LabOptions) -> None:
    """Run until SIGTERM or Ctrl-C, and end this process; leave nothing behind but a folder that was asked for."""
    folder = options.folder or Path(tempfile.mkdtemp(prefix="carillon-lab-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(_serve(options, folder))
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    # The server's own threads outlive it by a moment, and now and then for good. One that finds the interpreter half
    # taken down ends with a panic of Rust: everything is closed, so nothing is to be taken down.
    os._exit(0)


async def _serve(options: LabOptions, folder: Path) -> None:
    ports = _Ports(*(_free_port(port) for port in (options.fcm_port, options.fcm_plain_port, options.smtp_port)))
    token_uri = f"https://127.0.0.1:{ports.fcm}/token"
    identities = make_identities(folder, token_uri=token_uri)
    push, mail = Ledger(options.ledger_file), Ledger()
    mails = folder / "mails"
    mails.mkdir(exist_ok=True)
    another = partial(make_service_account, folder / "service-account-next.json", token_uri=token_uri)
    fcm = FcmStandIn(push, public_key=identities.service_account_public_key, make_account=another)
    callbacks = Callbacks()
    others = {kind.name: kind(Ledger(), callbacks) for kind in stand_ins.ALL}
    mounted = Mounted(fcm, others)
    servers = [_http(mounted, ports.fcm, identities), _http(mounted, ports.fcm_plain, None)]
    smtp = await _smtp(MailSink(mail, mails), ports.smtp, identities)
    running = [asyncio.create_task(server.serve()) for server in servers]
    stop = _stop_event(with_parent=options.with_parent)
    await _listening((ports.fcm, ports.fcm_plain))
    gc.collect()
    gc.disable()  # a growing ledger makes collections long, and nothing here makes cycles worth one
    places = _places(ports, identities, folder) | _mounted_places(ports, others, folder)
    sys.stdout.write(json.dumps(places) + "\n")
    sys.stdout.flush()
    await _flush_until(stop, push)
    for server in servers:
        server.stop()  # type: ignore[no-untyped-call]
    smtp.close()
    callbacks.close()
    cut_connections((ports.fcm, ports.fcm_plain, ports.smtp))
    await asyncio.gather(*running)
    push.close()


class _Ports(msgspec.Struct, frozen=True):
    fcm: int
    fcm_plain: int
    smtp: int


def _http(stand_in: Mounted, port: int, identities: Identities | None) -> Server:
    """With identities TLS, HTTP/2 or 1.1 as the client likes; without, cleartext."""
    return Server(
        stand_in,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.auto,
        http2_settings=HTTP2Settings(max_concurrent_streams=_STREAMS),
        websockets=False,
        backlog=1024,
        log_enabled=False,
        ssl_cert=identities.certificate if identities else None,
        ssl_key=identities.key if identities else None,
    )


async def _smtp(sink: MailSink, port: int, identities: Identities) -> asyncio.Server:
    loop = asyncio.get_running_loop()

    def protocol() -> Any:
        return mail_server(sink, certificate=identities.certificate, key=identities.key)

    return await loop.create_server(protocol, "127.0.0.1", port)


def _places(ports: _Ports, identities: Identities, folder: Path) -> dict[str, Any]:
    """What a client needs to know, as one JSON object."""
    return {
        "fcm": {
            "base_url": f"https://127.0.0.1:{ports.fcm}",
            "plain_url": f"http://127.0.0.1:{ports.fcm_plain}",
            "project_id": PROJECT_ID,
            "service_account_file": str(identities.service_account),
        },
        "smtp": {
            "base_url": f"smtp://127.0.0.1:{ports.smtp}",
            "username": USERNAME,
            "password": PASSWORD,
            "mail_folder": str(folder / "mails"),
        },
        "ca_file": str(identities.ca_file),
    }


def _mounted_places(ports: _Ports, others: Mapping[str, StandIn], folder: Path) -> dict[str, Any]:
    """The same of every stand-in that lives under a path of its own."""
    secure, plain = f"https://127.0.0.1:{ports.fcm}", f"http://127.0.0.1:{ports.fcm_plain}"
    return {name: one.place(f"{secure}/{name}", f"{plain}/{name}", folder) for name, one in others.items()}


async def _listening(ports: tuple[int, ...]) -> None:
    """Wait until every port takes connections."""
    for port in ports:
        for _ in range(500):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                break


def _stop_event(*, with_parent: bool) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Not the loop's own handlers: they hear of a signal by the pipe that the server's threads wake the loop with, and
    # where that is full of their calls, the signal is lost.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    if with_parent:
        loop.add_reader(sys.stdin, _when_ended(stop.set))
    return stop


def _when_ended(act: Callable[[], None]) -> Callable[[], None]:
    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1):
            asyncio.get_running_loop().remove_reader(sys.stdin)
            act()

    return read


async def _flush_until(stop: asyncio.Event, ledger: Ledger) -> None:
    while not stop.is_set():
        ledger.flush()
        try:
            await asyncio.wait_for(stop.wait(), _FLUSH_SECONDS)
        except TimeoutError:
            continue


def _free_port(port: int) -> int:
    """The port itself, or any free one for 0."""
    if port:
        return port
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
