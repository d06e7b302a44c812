"""Candidates sent to a real server, by TLS and on this machine."""

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from handling import HOSTILE, SCOPE, candidate, context
from jsonschema import Draft202012Validator
from pydantic import SecretStr
from servers import Web, self_signed, serving

from memo.core.errors import UsageError
from memo.core.events import Operation
from memo.core.grammar import MAX_TEXT
from memo.core.paths import Home
from memo.core.settings import Settings, WebhookSettings
from worker.handlers.payload import SCHEMA
from worker.handlers.webhook import NotSent, WebhookHandler

SECRET = "a secret of enough length"
PAUSES_S = (0.01, 0.01, 0.0)
START = Operation.PROCESS_START
SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "schemas" / f"{SCHEMA}.json"
VALIDATOR = Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as made:
        yield made


def handler(url: str, home: Home, answer_s: float = 1.0) -> WebhookHandler:
    settings = Settings(scope=SCOPE, webhook=WebhookSettings(url=url, secret=SecretStr(SECRET)))
    return WebhookHandler(settings, home, answer_s, PAUSES_S)


def test_a_candidate_is_posted_and_its_signature_can_be_checked(web: Web, home: Home) -> None:
    made = handler(f"{web.url}/hook?x=1", home)
    assert made.accepts(candidate(START, "Firefox").action)
    assert made.handle(candidate(START, "Firefox"), context()) == {"status": 204}
    [sent] = web.sent
    assert sent.path == "/hook?x=1" and sent.headers["Content-Type"] == "application/json"
    given = f"{sent.headers['Memo-Timestamp']}.".encode() + sent.body
    right = hmac.new(SECRET.encode(), given, hashlib.sha256).hexdigest()
    assert sent.headers["Memo-Signature"] == f"sha256={right}"
    body = json.loads(sent.body)
    VALIDATOR.validate(body)
    assert body["prediction"] == 7 and body["action"] == {
        "operation": "process_start",
        "target": "Firefox",
        "place": "",
    }


def test_by_tls_only_to_a_server_that_is_known(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path)
    with serving(certificate) as web:
        made = handler(web.url, home)
        with pytest.raises(NotSent, match="SSLError"):
            made.handle(candidate(START, "Firefox"), context())
        assert web.sent == []
        monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
        assert made.handle(candidate(START, "Firefox"), context()) == {"status": 204}
        assert len(web.sent) == 1


def test_a_busy_server_is_retried_a_few_times(web: Web, home: Home) -> None:
    web.answers = [503, 500, 200]
    assert handler(web.url, home).handle(candidate(START, "Firefox"), context()) == {"status": 200}
    assert len({sent.body for sent in web.sent}) == 1, "the same each time"
    web.answers, web.sent = [503], []
    web.headers = {"Retry-After": "3600"}
    with pytest.raises(NotSent, match="503"):
        handler(web.url, home).handle(candidate(START, "Firefox"), context())
    assert len(web.sent) == len(PAUSES_S)


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_refusal_is_not_retried(web: Web, home: Home, status: int) -> None:
    web.answers = [status]
    with pytest.raises(NotSent, match=str(status)):
        handler(web.url, home).handle(candidate(START, "Firefox"), context())
    assert len(web.sent) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(web: Web, home: Home, status: int) -> None:
    with serving() as other:
        web.answers, web.headers = [status], {"Location": f"{other.url}/steal"}
        with pytest.raises(NotSent, match=str(status)):
            handler(web.url, home).handle(candidate(START, "Firefox"), context())
        assert len(web.sent) == 1 and other.sent == []


def test_a_server_that_hangs_or_is_not_there_is_given_up(web: Web, home: Home) -> None:
    released = threading.Event()
    web.before = lambda: released.wait(30)
    with pytest.raises(NotSent, match="can't be reached"):
        handler(web.url, home, answer_s=0.1).handle(candidate(START, "Firefox"), context())
    assert len(web.sent) == len(PAUSES_S)
    released.set()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NotSent, match="can't be reached"):
            handler(f"http://127.0.0.1:{unused.getsockname()[1]}", home).handle(candidate(START, "x"), context())


def test_no_proxy_is_used(web: Web, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert handler(web.url, home).handle(candidate(START, "Firefox"), context()) == {"status": 204}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_arrive_as_json_alone(web: Web, home: Home, name: str) -> None:
    text = HOSTILE[name]
    for operation in (START, Operation.WINDOW_FOCUS, Operation.FILE_ACCESS, Operation.WEB_VISIT):
        handler(web.url, home).handle(candidate(operation, text, text, text), context())
    for sent in web.sent:
        body = json.loads(sent.body)
        VALIDATOR.validate(body)
        assert "\n" not in body["text"] and "\x1b" not in body["text"] and len(body["action"]["target"]) <= MAX_TEXT
        assert sent.headers["Memo-Signature"].startswith("sha256=")
        assert len(sent.body) < 10 * MAX_TEXT
    assert len(web.sent) == 4


def test_without_an_address_it_accepts_nothing(home: Home) -> None:
    assert not WebhookHandler(Settings(), home).accepts(candidate(START, "Firefox").action)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "http://10.0.0.1/hook",
        "http://localhost.example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "https://user:pass@example.com",
        "https://",
        "https://example.com/#x",
        "https://example.com/\nHost: x",
        "https://example.com:port",
        "example.com",
        "//example.com",
    ],
)
def test_an_unsafe_address_is_refused_in_a_sentence(url: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_WEBHOOK__URL", url)
    monkeypatch.setenv("MEMO_WEBHOOK__SECRET", SECRET)
    with pytest.raises(UsageError, match=r"webhook\.url is wrong: .*https://HOST/PATH"):
        Settings.load()


@pytest.mark.parametrize(
    "url", ["https://example.com/x?y", "http://127.0.0.1:8000/", "http://[::1]:80", "http://localhost"]
)
def test_a_safe_address_needs_a_secret(url: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_WEBHOOK__URL", url)
    with pytest.raises(UsageError, match=r"webhook is wrong: .*secret"):
        Settings.load()
    monkeypatch.setenv("MEMO_WEBHOOK__SECRET", SECRET)
    assert Settings.load().webhook.url == url
    assert SECRET not in repr(Settings.load())
