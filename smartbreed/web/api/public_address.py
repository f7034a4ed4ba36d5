"""Which internet addresses belong to the public web, and not to a machine's own neighbourhood.

One rule: an address counts as public if it is globally reachable, and so is every IPv4 address that it
carries. An IPv6 address can carry one in several ways, and a router or a translator on the server's network
may deliver the packet to it:

* mapped ``::ffff:a.b.c.d`` and compatible ``::a.b.c.d`` (RFC 4291), and translated
  ``::ffff:0:a.b.c.d`` (RFC 2765);
* NAT64 ``64:ff9b::/96`` (RFC 6052), and ``64:ff9b:1::/48`` (RFC 8215), where every network chooses the place
  of the address itself: all of it is refused;
* 6to4 ``2002::/16`` (RFC 3056), and Teredo ``2001::/32`` (RFC 4380), which is never global;
* ISATAP interface identifiers ``…:0:5efe:a.b.c.d`` (RFC 5214), in any network.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address, IPv6Network

#: Addresses that are global on paper, and answer as the machine's own cloud (Azure's wire server).
_CLOUD = frozenset({IPv4Address("168.63.129.16")})
#: Networks whose last 32 bits are an IPv4 address.
_ENDS_IN_IPV4 = tuple(
    IPv6Network(network) for network in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
#: Where public IPv6 addresses are (IANA); what carries an IPv4 address may lie outside.
_UNICAST = IPv6Network("2000::/3")
#: Not global, whatever this Python's `ipaddress` says: NAT64 of one's own network, and documentation.
_LOCAL = tuple(IPv6Network(network) for network in ("64:ff9b:1::/48", "3fff::/20"))
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_public(address: str) -> bool:
    """Whether ``address``, such as ``93.184.215.14`` or ``2606:4700::1111``, may be asked for a photo.

    Raises:
        ValueError: it is no internet address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    return all(_is_global(one) for one in (*embedded(ip), ip))


def embedded(ip: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """Every IPv4 address that ``ip`` carries in one of the ways above."""
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
