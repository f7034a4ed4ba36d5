"""No spelling of an address of the server's own neighbourhood counts as public."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.web.api.public_address import embedded, is_public

#: Every way an IPv6 address carries an IPv4 one; what a visitor may choose freely is ``free``.
WAYS: dict[str, Callable[[int, int], int]] = {
    "compatible": lambda ip, free: ip,
    "mapped": lambda ip, free: 0xFFFF << 32 | ip,
    "translated": lambda ip, free: 0xFFFF << 48 | ip,
    "nat64": lambda ip, free: 0x64FF9B << 96 | ip,
    "local nat64": lambda ip, free: 0x64FF9B0001 << 80 | free % 2**48 << 32 | ip,
    "6to4": lambda ip, free: 0x2002 << 112 | ip << 80 | free % 2**80,
    "teredo server": lambda ip, free: 0x20010000 << 96 | ip << 64 | free % 2**64,
    "teredo client": lambda ip, free: 0x20010000 << 96 | free % 2**32 << 64 | ip ^ 0xFFFFFFFF,
    "isatap": lambda ip, free: 0x2606470000000000 << 64 | 0x5EFE << 32 | ip,
    "isatap, global": lambda ip, free: 0x2606470000000000 << 64 | 0x02005EFE << 32 | ip,
}
#: Addresses that no request from outside may reach.
PRIVATE = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.168.0.0/16", "192.0.2.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
]  # fmt: skip

private = st.one_of([st.integers(int(n[0]), int(n[-1])) for n in PRIVATE])
free = st.integers(0, 2**128 - 1)


@given(ip=private, way=st.sampled_from(sorted(WAYS)), free=free)
def test_a_private_address_is_private_however_it_is_carried(ip: int, way: str, free: int) -> None:
    assert not is_public(str(IPv4Address(ip)))
    carrier = IPv6Address(WAYS[way](ip, free))
    assert not is_public(str(carrier)), way
    assert not is_public(carrier.exploded), way
    assert not is_public(f"{carrier}%eth0"), way


@given(ip=st.integers(0, 2**32 - 1), way=st.sampled_from(sorted(WAYS)), free=free)
def test_a_carrier_is_never_more_public_than_what_it_carries(ip: int, way: str, free: int) -> None:
    carrier = IPv6Address(WAYS[way](ip, free))
    assert way == "local nat64" or IPv4Address(ip) in embedded(carrier)
    assert not is_public(str(carrier)) or is_public(str(IPv4Address(ip)))


@given(free=free)
def test_only_unicast_space_and_carriers_can_be_public(free: int) -> None:
    ip = IPv6Address(free)
    if is_public(str(ip)):
        assert free >> 125 == 1 or embedded(ip)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::8.8.8.8",
        "2002:808:808::1", "::ffff:8.8.8.8",
    ],
)  # fmt: skip
def test_the_public_web_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["::", "::1", "fe80::1", "fc00::1", "fec0::1", "feff::1", "ff02::1", "ff0e::1", "2001:db8::1", "3fff::1",
     "4000::1", "100::1", "5f00::1", "64:ff9b:1::8.8.8.8", "2001::1"],
)  # fmt: skip
def test_special_networks_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["", "localhost", "1.2.3", "127.1", "0x7f000001", "2130706433", "::g"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        is_public(address)
