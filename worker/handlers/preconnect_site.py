"""The handler that resolves the name of a predicted site and, if the owner allows it, connects to the site."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from memo.core.errors import MemoError
from memo.core.events import Action, Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.core.settings import Settings
from memo.protocols import DispatchContext, Handler
from worker.effects.public_host import host_of
from worker.effects.seen_before import SeenBefore

PORT = 443
CONNECT_S = 5.0  # longest wait for a connection
# IPv6 networks whose addresses stand for IPv4 ones, which may be private. Source: RFC 6052, RFC 3056, RFC 4380.
CARRIERS = [ip_network(text) for text in ("64:ff9b::/96", "2002::/16", "2001::/32")]

Address = IPv4Address | IPv6Address


class NotPublic(MemoError):
    """The site may not be reached."""


class PreconnectSiteHandler(Handler):
    """Resolves a predicted site's name; with `[preconnect] connect` also opens TLS to it. It sends no request."""

    name = "preconnect_site"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._connect, self._seen = settings.preconnect.connect, SeenBefore(settings, home)

    def accepts(self, action: Action) -> bool:
        """Whether it is a visit."""
        return action.operation is Operation.WEB_VISIT

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Prepare the visit. Raises MemoError if it may not be prepared, OSError if the network fails."""
        from urllib.request import getproxies

        host = host_of(candidate.action.target)
        self._seen.check(candidate.action, context.scope)
        if getproxies():
            raise NotPublic("a proxy is set, which resolves the name instead")
        addresses = resolved(host)
        if not all(is_public(address) for address in addresses):
            raise NotPublic("its name leads to an address that is not public")
        if self._connect:
            _shake_hands(host, addresses[0])
        return {"addresses": len(addresses), "connected": self._connect}


def resolved(host: str) -> list[Address]:
    """Return the addresses of a name in the order in which they are to be tried."""
    found = socket.getaddrinfo(f"{host}.", PORT, type=socket.SOCK_STREAM)  # with the dot no search domain is added
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def is_public(address: Address) -> bool:
    """Whether it is a public internet address: not private, loopback, link-local, multicast or reserved."""
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or any(address in net for net in CARRIERS)):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _shake_hands(host: str, address: Address) -> None:
    """Open and close TLS to the very address that was checked, without resolving the name again."""
    import ssl

    with socket.create_connection((str(address), PORT), CONNECT_S) as connection:
        ssl.create_default_context().wrap_socket(connection, server_hostname=host).close()
