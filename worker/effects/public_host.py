"""The host of a site that was seen, as it may be looked up: a public name, nothing that could mean another place."""

import re

from memo.core.errors import MemoError
from memo.core.sites import MAX_HOST, domain

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_NAME = re.compile(rf"({_LABEL}\.)+(?!\d+$|0x)({_LABEL})")
"""Two labels at least, the last no number: `127.1` and `0x7f.1` are addresses to a resolver."""
_NOT_PUBLIC = re.compile(r".*\.(alt|arpa|internal|invalid|lan|local|localhost|onion|test)")
"""Names that no public look-up answers. Source: the special-use domain names of IANA, and two that are in use."""


class NoHost(MemoError):
    """The site is none that may be reached."""


def host_of(site: str) -> str:
    """The ASCII name of a site of an event. Raises NoHost for an address, a port, a user or a local name."""
    import idna  # its tables are large

    try:
        name = idna.encode(site, uts46=True).decode("ascii").lower() if domain(site) == site else ""
    except (idna.IDNAError, UnicodeError):
        name = ""
    if len(name) > MAX_HOST or not _NAME.fullmatch(name) or _NOT_PUBLIC.fullmatch(name):
        raise NoHost("it is no public name of a site")
    return name
