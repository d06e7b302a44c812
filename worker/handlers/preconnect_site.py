"""The handler that resolves the name of a predicted site and, if the owner allows it, connects to the site."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from memo.protocols import Action, Candidate, DispatchContext, Handler, Home, MemoError, Operation, Settings
from worker.effects.public_host import host_of
from worker.effects.seen_before import SeenBefore

PORT = 443
CONNECT_S = 5.0  # longest wait for a connection
UNICAST = ip_network("2000::/3")  # all of IPv6 that is given to anybody; source: IANA, IPv6 Address Space
# What `ipaddress` takes for global, in one version or another: relays and carriers of IPv4, which may be private,
# protocols, documentation, and name servers for private addresses. Source: IANA Special-Purpose Address Registries.
SPECIAL = [
    ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "2001::/23",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]

Address = IPv4Address | IPv6Address


class NotPublic(MemoError):
    """The site may not be reached."""


class PreconnectSiteHandler(Handler):
    """Resolves a predicted site's name; with `[preconnect] connect` also opens TLS to it. It sends no request."""

    name = "preconnect_site"
    routed_by = ("upcoming.web_visit",)

    def __init__(self, settings: Settings, home: Home) -> None:
        self._connect, self._seen = settings.preconnect.connect, SeenBefore(settings, home)

    def accepts(self, action: Action) -> bool:
        """Return whether the action is a visit."""
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
    """Return whether an address is a public one: not private, loopback, link-local, multicast or reserved."""
    if isinstance(address, IPv6Address) and address not in UNICAST:
        return False
    if any(address in network for network in SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _shake_hands(host: str, address: Address) -> None:
    """Open and close TLS to the very address that was checked, without resolving the name again."""
    import ssl

    with socket.create_connection((str(address), PORT), CONNECT_S) as connection:
        ssl.create_default_context().wrap_socket(connection, server_hostname=host).close()
