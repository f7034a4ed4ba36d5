"""Tell which IP addresses belong to the public internet, and not to the server's own network.

One rule: an address is public if it is globally reachable, and so is every IPv4 address embedded in it.
An IPv6 address can embed one in several ways, and a router or a translator on the server's network may
deliver the packet to it:

* mapped ``::ffff:a.b.c.d`` and compatible ``::a.b.c.d`` (RFC 4291), and translated
  ``::ffff:0:a.b.c.d`` (RFC 2765);
* NAT64 ``64:ff9b::/96`` (RFC 6052), and ``64:ff9b:1::/48`` (RFC 8215), in which every network chooses where
  the address is placed, so that all of it is refused;
* 6to4 ``2002::/16`` (RFC 3056), and Teredo ``2001::/32`` (RFC 4380), which is never global;
* ISATAP interface identifiers ``…:0:5efe:a.b.c.d`` (RFC 5214), in any network.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address, IPv6Network

#: Addresses that count as global, but belong to the cloud that the machine runs in (Azure's WireServer).
_CLOUD = frozenset({IPv4Address("168.63.129.16")})
#: Networks whose last 32 bits are an IPv4 address.
_ENDS_IN_IPV4 = tuple(
    IPv6Network(network) for network in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
#: The range of public IPv6 addresses (IANA). Addresses that embed an IPv4 address may lie outside of it.
_UNICAST = IPv6Network("2000::/3")
#: Never global, whatever this Python's `ipaddress` says: local-use NAT64, and documentation.
_LOCAL = tuple(IPv6Network(network) for network in ("64:ff9b:1::/48", "3fff::/20"))
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_public(address: str) -> bool:
    """True if a photo may be fetched from ``address``, such as ``93.184.215.14`` or ``2606:4700::1111``.

    Raises:
        ValueError: it is not an IP address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    return all(_is_global(one) for one in (*embedded(ip), ip))


def embedded(ip: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """Return every IPv4 address that is embedded in ``ip`` in one of the ways above."""
    if isinstance(ip, IPv4Address):
        return ()
    number = int(ip)
    found = []
    if any(ip in network for network in _ENDS_IN_IPV4):
        found.append(IPv4Address(number & 0xFFFFFFFF))
    if ip.sixtofour is not None:
        found.append(ip.sixtofour)
    if ip.teredo is not None:
        found.extend(ip.teredo)  # server and client
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        found.append(IPv4Address(number & 0xFFFFFFFF))
    return tuple(found)


def _is_global(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv6Address):
        known = ip in _UNICAST or any(ip in network for network in _ENDS_IN_IPV4)
        if not known or any(ip in network for network in _LOCAL):
            return False
    return ip.is_global and not ip.is_multicast and ip not in _CLOUD
