"""The host of a site, provided that it is a public name: no address, port, user or local name."""

import re

from memo.core.errors import MemoError
from memo.core.sites import MAX_HOST, domain

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
# At least two labels, the last of which is no number: a resolver takes `127.1` and `0x7f.1` for addresses.
_NAME = re.compile(rf"({_LABEL}\.)+(?!\d+$|0x)({_LABEL})")
# Names that no public look-up answers: special-use domain names of IANA, and two others in use.
_NOT_PUBLIC = re.compile(r".*\.(alt|arpa|internal|invalid|lan|local|localhost|onion|test)")


class NoHost(MemoError):
    """The site has no public name."""


def host_of(site: str) -> str:
    """Return the ASCII name of an event's site. Raises NoHost."""
    import idna  # its tables are large

    try:
        name = idna.encode(site, uts46=True).decode("ascii").lower() if domain(site) == site else ""
    except (idna.IDNAError, UnicodeError):
        name = ""
    if len(name) > MAX_HOST or not _NAME.fullmatch(name) or _NOT_PUBLIC.fullmatch(name):
        raise NoHost("the site has no public name")
    return name
