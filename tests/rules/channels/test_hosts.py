from __future__ import annotations

import pytest

from channels.rules.hosts import is_global, is_loopback


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808", "2002:808:808::1"])
def test_public_addresses_are_global_also_through_a_gateway(address: str) -> None:
    assert is_global(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address to refuse, not one to listen on
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::1",
        "not an address",
        "",
    ],
)
def test_every_other_address_is_not_global_however_it_is_wrapped(address: str) -> None:
    assert not is_global(address)


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "https://localhost/x", "http://[::1]:8080"])
def test_a_url_of_this_machine_is_loopback(url: str) -> None:
    assert is_loopback(url)
    assert not is_loopback("https://example.com")
