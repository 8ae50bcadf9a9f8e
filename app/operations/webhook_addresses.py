"""Where a webhook may go: the public internet and nothing else, whatever a name resolves to at that moment.

A receiver's address is chosen by somebody else, so a call to it must not reach what only this machine can reach
(RFC 1918, loopback, link-local with the clouds' metadata, and all of these in their IPv6 clothes). The caller connects
to an address that was checked here, not to the name, so that a name cannot change its mind in between.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import SplitResult, urlsplit

from app.errors import Refused
from contracts.wording import as_said
from market.errors import MarketError

LONGEST_URL = 2000
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[..., Sequence[tuple[Any, ...]]]
# Global by some registries and yet not the internet: Azure's host service, relays of 6to4 (RFC 7526), local NAT64.
NOT_FOR_US = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.88.99.0/24", "64:ff9b:1::/48")))
UNICAST_SIX = ipaddress.ip_network("2000::/3")  # all of IPv6 that is given out for the internet (RFC 4291)
NAT64 = ipaddress.ip_network("64:ff9b::/96")
# The first that fits names an address.
KINDS: Sequence[tuple[Callable[[Address], bool], str]] = (
    (lambda address: address.is_loopback, "this machine itself"),
    (lambda address: address.is_link_local, "link-local"),
    (lambda address: address.is_multicast, "multicast"),
    (lambda address: address.is_unspecified, "no address"),
    (lambda address: address.is_private or address.is_reserved or not address.is_global, "private or reserved"),
    (lambda address: address.version == 6 and address not in UNICAST_SIX, "private or reserved"),
    (lambda address: any(address in network for network in NOT_FOR_US), "kept for the network itself"),
)


class UrlFault(StrEnum):
    """What is wrong with a URL; pages have a sentence for each."""

    LENGTH = "length"
    CHARACTERS = "characters"
    FORM = "form"
    SCHEME = "scheme"
    HOST = "host"
    CREDENTIALS = "credentials"
    FRAGMENT = "fragment"
    INSIDE = "inside"


class UrlRefused(Refused):
    """A URL that cannot be a receiver's; `fault` says why in one word."""

    def __init__(self, fault: UrlFault, message: str) -> None:
        super().__init__(as_said(message), field="url")
        self.fault = fault


class AddressRefused(MarketError):
    """The name leads nowhere, or to where no webhook goes; the message says which address and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A receiver's URL, taken apart. `path` holds the query, too."""

    host: str
    port: int
    path: str
    tls: bool


def target_of(url: str, *, loopback: bool = False) -> Target:
    """Read a receiver's URL. Plain http is for this machine only, and only where `loopback` allows it.

    :raises UrlRefused: not an https URL of a host, with credentials or a fragment, too long, or not for webhooks.
    """
    if len(url) > LONGEST_URL:
        raise UrlRefused(UrlFault.LENGTH, f"the URL has {len(url)} characters; expected at most {LONGEST_URL}")
    if not url.isascii() or any(character.isspace() or not character.isprintable() for character in url):
        raise UrlRefused(UrlFault.CHARACTERS, "the URL holds blanks or characters beyond ASCII; expected them encoded")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UrlRefused(UrlFault.FORM, f"{url!r} is no URL ({error}); expected https://host/path") from error
    _check_form(parts, host, loopback=loopback)
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if (literal := _literal(host)) is not None and (why := why_not(literal, loopback=loopback)):
        raise UrlRefused(UrlFault.INSIDE, f"{host} is {why}; expected an address on the internet")
    return Target(host=host, port=port or (443 if tls else 80), path=path, tls=tls)


def _check_form(parts: SplitResult, host: str, *, loopback: bool) -> None:
    is_here = host == "localhost" or ((literal := _literal(host)) is not None and literal.is_loopback)
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback and is_here):
        raise UrlRefused(UrlFault.SCHEME, f"the URL begins with {parts.scheme or 'nothing'}:; expected https:")
    if not host:
        raise UrlRefused(UrlFault.HOST, "the URL names no host; expected https://host/path")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused(UrlFault.CREDENTIALS, "the URL holds a name or a password; expected none: messages are signed")
    if parts.fragment:
        raise UrlRefused(UrlFault.FRAGMENT, "the URL has a fragment, which is never sent; expected none")


def checked_addresses(target: Target, *, loopback: bool = False, resolve: Resolver = socket.getaddrinfo) -> list[str]:
    """The addresses of a target, resolved once, each of them fit to connect to; in the resolver's order.

    One bad address among several refuses them all: a name that leads inside as well as outside is not to be trusted.

    :raises AddressRefused: the name does not resolve, or one of its addresses is not on the internet.
    """
    try:
        found = resolve(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused(f"{target.host} does not resolve: {error}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in addresses:
        if why := why_not(ipaddress.ip_address(text), loopback=loopback):
            raise AddressRefused(f"{target.host} leads to {text}, which is {why}; expected an address on the internet")
    if not addresses:
        raise AddressRefused(f"{target.host} has no address")
    return addresses


def why_not(address: Address, *, loopback: bool = False) -> str | None:
    """Why no webhook goes to an address; None if one may."""
    for inner in _within(address):
        if inner.is_loopback and loopback:
            continue
        for is_so, what in KINDS:
            if is_so(inner):
                return what
    return None


def _within(address: Address) -> list[Address]:
    """The address that is really meant: that which an IPv6 address of a transition scheme carries inside.

    The outer one of a mapped or translated address says nothing by itself; one of 6to4 or Teredo counts as well.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address, address.sixtofour]
    if address.teredo is not None:
        return [address, *address.teredo]
    return [address]


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
