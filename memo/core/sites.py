"""The domain of a web address, the only part of it that is stored."""

import re
from contextlib import suppress
from functools import lru_cache
from urllib.parse import urlsplit

from memo.core.grammar import clean

MAX_HOST = 253  # characters; source: RFC 1035, 2.3.4


def domain(url: str) -> str:
    """Return the host of an http or https address as people read it: lower case, no port, IDNA decoded.

    An address without a scheme counts as one; the result is empty if the address names no site.
    """
    try:
        parts = urlsplit(url if re.match(r"(\w[\w+.-]*:)?//", url) else f"//{url}")
        host, _ = parts.hostname or "", parts.port  # reading the port raises for an invalid one
    except ValueError:
        return ""
    return _shown(host.rstrip(".")) if parts.scheme in ("", "http", "https") else ""


@lru_cache(maxsize=1_000)
def _shown(host: str) -> str:
    with suppress(UnicodeError):
        host = host.encode("ascii").decode("idna").lower()
    return host if len(host) <= MAX_HOST and clean(host).split() == [host] else ""
