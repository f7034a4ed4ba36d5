"""Which network addresses count as one caller."""

from __future__ import annotations

import ipaddress


def network_of(caller: str) -> str:
    """Return an IPv4 address as it is, or the /64 network of an IPv6 address: one person may own all of it.

    An IPv4 address that is written as IPv6 (``::ffff:192.0.2.1``) counts as IPv4. Text that is no address is
    cut to 100 characters.
    """
    try:
        address = ipaddress.ip_address(caller)
    except ValueError:
        return caller[:100]
    if address.version == 4:
        return caller
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
