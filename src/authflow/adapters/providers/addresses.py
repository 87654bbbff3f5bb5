"""Which addresses of the network are the public Internet's, and so no part of anybody's own (security 2.40).

The networks are listed here, from IANA's registries of special-purpose addresses, because what `ipaddress` calls
global differs between the versions of Python.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

CLOSED_4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # shared by a carrier's customers, RFC 6598; and metadata of some clouds
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927; and metadata of most clouds
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # protocol assignments, RFC 6890; and metadata of some clouds
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # multicast relays, RFC 7450
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved, RFC 1112, and broadcast
        "168.63.129.16/32",  # a cloud's own platform, on an address that looks public
    )
)

OPEN_6: Final = IPv6Network("2000::/3")
"""Global unicast, RFC 4291 2.4: whatever is outside of it is local, mapped, multicast or not assigned at all."""

CLOSED_6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, RFC 2928: Teredo with an IPv4 address inside, benchmarks, ORCHID
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4 with an IPv4 address inside, RFC 3056
        "2620:4f:8000::/48",  # AS112, RFC 7534
        "3fff::/20",  # documentation, RFC 9637
    )
)

NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: how a network that has only IPv6 names the public IPv4 address in the last 32 bits."""


def is_public(address: str) -> bool:
    """Tell whether *address* is one of the public Internet. What is no address at all is not."""
    try:
        read = ip_address(address)
    except ValueError:
        return False
    return _is_public_4(read) if isinstance(read, IPv4Address) else _is_public_6(read)


def is_loopback(address: str) -> bool:
    """Tell whether *address* is this machine's own."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _is_public_4(address: IPv4Address) -> bool:
    return not any(address in network for network in CLOSED_4)


def _is_public_6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if address in NAT64:
        return _is_public_4(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in OPEN_6 and not any(address in network for network in CLOSED_6)
