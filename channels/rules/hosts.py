"""Facts about hosts that need no look-up."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

#: Gateways to IPv4 (RFC 6052): the last four bytes are the address that is meant.
_NAT64 = IPv6Network("64:ff9b::/96")


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine: a proxy of the environment does not lead there."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_global(address: str) -> bool:
    """Whether an IP address is one of the public internet, also where it is wrapped in another."""
    try:
        plain = _unwrapped(ip_address(address))
    except ValueError:
        return False
    return plain.is_global and not plain.is_multicast


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
