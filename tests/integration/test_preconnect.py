"""Sites that are looked up and connected to before a visit: a real TLS server, reached by a name that is made up."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from handling import HOSTILE, SCOPE, candidate, context, remember
from servers import Web, self_signed, serving
from waiting import until

from memo.core.errors import MemoError
from memo.core.events import Operation
from memo.core.paths import Home
from memo.core.settings import PreconnectSettings, Settings
from worker.effects.public_host import NoHost
from worker.effects.seen_before import NotSeenBefore
from worker.handlers import preconnect_site
from worker.handlers.preconnect_site import NotPublic, PreconnectSiteHandler, is_public

SITE = "site.example.com"
VISIT = Operation.WEB_VISIT


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that were looked up; each leads to 127.0.0.1."""
    names: list[str] = []
    _resolve(monkeypatch, names, "127.0.0.1")
    return names


def _resolve(monkeypatch: pytest.MonkeyPatch, names: list[str], *addresses: str) -> None:
    real = socket.getaddrinfo

    def answers(name: str, port: int, *given: int, **named: int) -> list[Any]:
        if not name.endswith("."):  # an address that is written out
            return real(name, port, *given, **named)
        names.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answers)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """The site, known to this machine; 127.0.0.1 is taken to be public."""
    certificate = self_signed(tmp_path, [f"DNS:{SITE}"])
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    monkeypatch.setattr(preconnect_site, "is_public", lambda address: True)
    with serving(certificate) as made:
        monkeypatch.setattr(preconnect_site, "PORT", int(made.url.rpartition(":")[2]))
        yield made


def handler(home: Home, connect: bool = True, seen: str = SITE) -> PreconnectSiteHandler:
    settings = Settings(scope=SCOPE, preconnect=PreconnectSettings(connect=connect))
    remember(settings, home, candidate(VISIT, seen))
    return PreconnectSiteHandler(settings, home)


def test_it_connects_and_asks_nothing(web: Web, home: Home, asked: list[str]) -> None:
    made = handler(home)
    assert made.accepts(candidate(VISIT, SITE).action)
    assert made.handle(candidate(VISIT, SITE), context()) == {"addresses": 1, "connected": True}
    assert asked == [f"{SITE}."], "looked up once: what was checked is what is connected to"
    until("its end", lambda: web.ended)
    assert web.connections == 1 and web.sent == []


def test_a_certificate_of_another_site_is_no_connection(web: Web, home: Home, asked: list[str]) -> None:
    with pytest.raises(OSError, match="Hostname mismatch"):
        handler(home, seen="other.example.com").handle(candidate(VISIT, "other.example.com"), context())


def test_without_leave_it_only_looks_the_name_up(web: Web, home: Home, asked: list[str]) -> None:
    assert PreconnectSettings().connect is False
    result = handler(home, connect=False).handle(candidate(VISIT, SITE), context())
    assert result == {"addresses": 1, "connected": False}
    assert asked == [f"{SITE}."] and web.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "ff0e::1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "fec0::1",
        "192.88.99.1",
        "192.0.0.9",
        "64:ff9b:1::1",
        "5f00::1",
        "2001:1::1",
        "3fff::1",
        "2001:db8::1",
        "2001:0:a00:1::",
    ],
)
def test_a_name_that_leads_inside_is_not_connected_to(
    home: Home, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    assert not is_public(ip_address(address))
    names: list[str] = []
    _resolve(monkeypatch, names, "93.184.216.34", address)
    monkeypatch.setattr(preconnect_site, "_shake_hands", lambda *given: pytest.fail("it connects"))
    with pytest.raises(NotPublic, match="not public"):
        handler(home).handle(candidate(VISIT, SITE), context())


def test_a_public_address_is_public() -> None:
    assert all(is_public(ip_address(address)) for address in ("93.184.216.34", "2606:2800:220:1::1"))


def test_a_proxy_is_not_passed_by(home: Home, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    with pytest.raises(NotPublic, match="proxy"):
        handler(home).handle(candidate(VISIT, SITE), context())
    assert asked == []


def test_only_what_was_visited_here_is_looked_up(home: Home, asked: list[str]) -> None:
    made = handler(home)
    assert not made.accepts(candidate(Operation.PROCESS_START, SITE).action)
    with pytest.raises(NotSeenBefore):
        made.handle(candidate(VISIT, "never.example.com"), context())
    with pytest.raises(NotSeenBefore):
        made.handle(candidate(VISIT, SITE), context("eve@elsewhere"))
    assert asked == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_not_looked_up(home: Home, asked: list[str], name: str) -> None:
    text = HOSTILE[name]
    made = handler(home, seen=text if name not in ("surrogate", "zero") else SITE)
    for site in (text, f"{text}.com", f"example.com{text}x"):
        with pytest.raises(MemoError) as refused:
            made.handle(candidate(VISIT, site), context())
        assert isinstance(refused.value, NoHost | NotSeenBefore)
    assert asked == []
