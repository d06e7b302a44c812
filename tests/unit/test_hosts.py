"""Sites that may be looked up, and texts that may not."""

import pytest
from handling import HOSTILE

from worker.effects.public_host import NoHost, host_of

REFUSED = [
    *HOSTILE.values(),
    "localhost",
    "intranet",
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "[::1]",
    "::1",
    "10.0.0.1",
    "example.com:22",
    "user@example.com",
    "http://example.com",
    "example.com/path",
    "example..com",
    "-a.example.com",
    "printer.local",
    "x.onion",
    "router.lan",
    "1.0.0.127.in-addr.arpa",
    "a" * 64 + ".com",
    ("a" * 60 + ".") * 5 + "com",
    "exa mple.com",
    "example.com\n.evil.com",
    "EXAMPLE.com",
    "example.com.",
]


def test_a_public_name_is_taken_in_ascii() -> None:
    assert host_of("github.com") == "github.com"
    assert host_of("bücher.de") == "xn--bcher-kva.de"
    assert host_of("a-b.co.uk") == "a-b.co.uk"


@pytest.mark.parametrize("site", REFUSED, ids=lambda site: repr(site[:30]))
def test_all_else_is_refused(site: str) -> None:
    with pytest.raises(NoHost, match="no public name"):
        host_of(site)
