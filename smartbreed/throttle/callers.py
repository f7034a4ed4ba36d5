"""Who counts as one caller."""

from __future__ import annotations

import ipaddress


def network_of(caller: str) -> str:
    """The address, or for IPv6, where one person has millions of them, their network."""
    try:
        address = ipaddress.ip_address(caller)
    except ValueError:
        return caller[:100]
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else caller
