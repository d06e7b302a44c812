"""The domain of a web address, which is all that is kept of it."""

import re
from contextlib import suppress
from functools import lru_cache
from urllib.parse import urlsplit

from memo.core.grammar import clean

MAX_HOST = 253
"""Characters. Source: RFC 1035, 2.3.4."""


def domain(url: str) -> str:
    """The host of an http or https address as people read it: lower-case, no port, IDNA in its own letters.

    An address without a scheme is taken to be one; empty where it names no site.
    """
    try:
        parts = urlsplit(url if re.match(r"(\w[\w+.-]*:)?//", url) else f"//{url}")
        host, _ = parts.hostname or "", parts.port  # the port is looked at for its faults alone
    except ValueError:
        return ""
    return _shown(host.rstrip(".")) if parts.scheme in ("", "http", "https") else ""


@lru_cache(maxsize=1_000)
def _shown(host: str) -> str:
    with suppress(UnicodeError):
        host = host.encode("ascii").decode("idna").lower()
    return host if len(host) <= MAX_HOST and clean(host).split() == [host] else ""
