"""Where webhooks may go: every address inside is refused in every dress, and a name is resolved once."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.operations.webhook_addresses import (
    AddressRefused,
    Target,
    UrlFault,
    UrlRefused,
    checked_addresses,
    target_of,
    why_not,
)

PUBLIC = ("93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "114.114.114.114")
INSIDE = (
    "0.0.0.0",  # noqa: S104 - nothing binds to it
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
)
INSIDE_SIX = (
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "64:ff9b:1::1",
    "fec0::1",
)
inside = st.one_of(
    st.ip_addresses(network="10.0.0.0/8"),
    st.ip_addresses(network="127.0.0.0/8"),
    st.ip_addresses(network="169.254.0.0/16"),
    st.ip_addresses(network="172.16.0.0/12"),
    st.ip_addresses(network="192.168.0.0/16"),
    st.ip_addresses(network="224.0.0.0/4"),
)


def dressed(four: ipaddress.IPv4Address) -> list[ipaddress.IPv6Address]:
    """An IPv4 address as IPv6 carries it: mapped, compatible, translated, 6to4."""
    number = int(four)
    return [
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address(number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1),
    ]


def answering(*addresses: str) -> Any:
    """A resolver that gives these, and counts how often it is asked."""

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        resolve.asked += 1  # type: ignore[attr-defined]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    resolve.asked = 0  # type: ignore[attr-defined]
    return resolve


TARGET = Target(host="erp.example.org", port=443, path="/", tls=True)


@pytest.mark.parametrize("text", PUBLIC)
def test_the_internet_is_fine(text: str) -> None:
    assert why_not(ipaddress.ip_address(text)) is None
    assert checked_addresses(TARGET, resolve=answering(text)) == [text]


@pytest.mark.parametrize("text", INSIDE + INSIDE_SIX)
def test_what_is_inside_is_refused(text: str) -> None:
    assert why_not(ipaddress.ip_address(text)) is not None
    with pytest.raises(AddressRefused, match=r"leads to .*; expected an address on the internet"):
        checked_addresses(TARGET, resolve=answering(text))


@given(inside)
def test_no_dress_hides_it(four: ipaddress.IPv4Address) -> None:
    assert why_not(four) is not None
    for six in dressed(four):
        assert why_not(six) is not None, six


@given(inside, st.integers(0, 3))
def test_one_bad_address_among_good_ones_refuses_all(four: ipaddress.IPv4Address, at: int) -> None:
    addresses = list(PUBLIC)
    addresses.insert(at, str(four))
    with pytest.raises(AddressRefused):
        checked_addresses(TARGET, resolve=answering(*addresses))


def test_a_name_is_resolved_once() -> None:
    resolve = answering(*PUBLIC)
    assert checked_addresses(TARGET, resolve=resolve) == list(PUBLIC)
    assert resolve.asked == 1


def test_loopback_is_open_only_where_it_is_allowed() -> None:
    for text in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert why_not(ipaddress.ip_address(text)) == "this machine itself"
        assert why_not(ipaddress.ip_address(text), loopback=True) is None
    assert why_not(ipaddress.ip_address("10.0.0.1"), loopback=True) is not None


def test_a_name_that_leads_nowhere() -> None:
    def fails(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        raise socket.gaierror("unknown")

    with pytest.raises(AddressRefused, match="does not resolve"):
        checked_addresses(TARGET, resolve=fails)
    with pytest.raises(AddressRefused, match="no address"):
        checked_addresses(TARGET, resolve=answering())


def test_a_url_taken_apart() -> None:
    assert target_of("https://erp.example.org:8443/hook?x=1") == Target(
        host="erp.example.org", port=8443, path="/hook?x=1", tls=True
    )
    assert target_of("https://ERP.example.org") == TARGET
    assert target_of("http://127.0.0.1:8080/a", loopback=True).tls is False


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://example.org/" + "a" * 2000, UrlFault.LENGTH),
        ("https://exa mple.org/", UrlFault.CHARACTERS),
        ("https://example.org/\r\nHost: inside", UrlFault.CHARACTERS),
        ("https://例子.example/", UrlFault.CHARACTERS),
        ("https://example.org:99999/", UrlFault.FORM),
        ("https://[::1/", UrlFault.FORM),
        ("http://example.org/", UrlFault.SCHEME),
        ("http://127.0.0.1/", UrlFault.SCHEME),
        ("file:///etc/passwd", UrlFault.SCHEME),
        ("https:///hook", UrlFault.HOST),
        ("https://me@example.org/", UrlFault.CREDENTIALS),
        ("https://example.org/#part", UrlFault.FRAGMENT),
        ("https://192.168.1.1/", UrlFault.INSIDE),
        ("https://[::ffff:10.0.0.1]/", UrlFault.INSIDE),
    ],
)
def test_a_url_that_is_no_receivers(url: str, fault: UrlFault) -> None:
    with pytest.raises(UrlRefused) as refusal:
        target_of(url)
    assert refusal.value.fault is fault


def test_http_goes_to_this_machine_only() -> None:
    with pytest.raises(UrlRefused):
        target_of("http://example.org/", loopback=True)
