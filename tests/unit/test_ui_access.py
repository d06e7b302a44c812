"""Who gets an answer of the page: this user's own programs, with the cookie that the link gave them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from memo.core.paths import Home
from ui.access import HEADERS
from ui.app import make_app
from ui.link import use_token

PORT = 4711
BASE = f"http://127.0.0.1:{PORT}"
SENTENCES = {
    "peer": "This page belongs to another user of this machine.",
    "host": "This page answers only at the address that `memo ui` shows.",
    "origin": "This form was sent by another site, so nothing was done.",
    "cookie": "Open this page with the link that `memo ui` shows; each link works once.",
}


def make_client(home: Home, is_owner: bool = True, base: str = BASE) -> TestClient:
    return TestClient(make_app(home, PORT, lambda _request, _port: is_owner), base, follow_redirects=False)


def write_token(home: Home, token: str = "secret") -> Path:
    file = home.run / "ui.token"
    file.write_text(token)
    return file


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    """One that came in by the link."""
    write_token(home)
    entered = make_client(home)
    assert entered.get("/enter?token=secret").status_code == 200
    yield entered


def test_the_link_gives_a_cookie_that_scripts_never_see(home: Home) -> None:
    write_token(home)
    given = make_client(home).get("/enter?token=secret").headers["set-cookie"]
    assert "HttpOnly" in given and "SameSite=strict" in given and f"memo_ui_{PORT}=" in given


def test_the_link_opens_the_page(client: TestClient) -> None:
    shown = client.get("/")
    assert shown.status_code == 200 and "Nothing is predicted yet." in shown.text


def test_a_link_works_once(home: Home) -> None:
    file = write_token(home)
    assert use_token(home, "secret") and not file.exists()
    assert not use_token(home, "secret") and not use_token(home, "")


def test_a_wrong_token_opens_nothing_and_keeps_the_link(home: Home) -> None:
    file = write_token(home)
    refused = make_client(home).get("/enter?token=ü")
    assert refused.status_code == 403 and "set-cookie" not in refused.headers and file.exists()


@pytest.mark.parametrize("path", ["/", "/stream", "/static/page.css", "/nothing"])
def test_nothing_answers_without_the_cookie(home: Home, path: str) -> None:
    refused = make_client(home).get(path)
    assert (refused.status_code, refused.text.splitlines()[0]) == (403, SENTENCES["cookie"])


def test_a_guessed_cookie_opens_nothing(home: Home) -> None:
    assert make_client(home).get("/", headers={"cookie": f"memo_ui_{PORT}=guess"}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80", ""])
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    refused = client.get("/", headers={"host": host})
    assert (refused.status_code, refused.text.splitlines()[0]) == (403, SENTENCES["host"])


def test_localhost_is_the_same_host(home: Home) -> None:
    write_token(home)
    assert make_client(home, base=f"http://localhost:{PORT}").get("/enter?token=secret").status_code == 200


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", f"https://127.0.0.1:{PORT}"])
def test_a_form_of_another_site_is_refused(client: TestClient, origin: str | None) -> None:
    refused = client.post("/language", data={"language": "zh"}, headers={"origin": origin} if origin else {})
    assert (refused.status_code, refused.text.splitlines()[0]) == (403, SENTENCES["origin"])


def test_another_user_is_refused_even_with_the_token(home: Home) -> None:
    file = write_token(home)
    refused = make_client(home, is_owner=False).get("/enter?token=secret")
    assert (refused.status_code, refused.text.splitlines()[0]) == (403, SENTENCES["peer"]) and file.exists()


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/nothing"])
def test_every_answer_has_the_headers(client: TestClient, path: str) -> None:
    given = client.get(path).headers
    assert {name: given[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in given["content-security-policy"]


def test_no_template_holds_a_script_or_a_style() -> None:
    """The policy would forbid these."""
    for file in (Path(__file__).parents[2] / "ui" / "templates").iterdir():
        text = file.read_text(encoding="utf-8")
        assert " style=" not in text and "<style" not in text and " on" + "click" not in text, file.name
        assert text.count("<script") == text.count('<script src="/static/'), file.name


def test_the_language_can_be_switched(client: TestClient) -> None:
    assert client.post("/language", data={"language": "zh"}, headers={"origin": BASE}).status_code == 303
    assert "还没有预测" in client.get("/").text


def test_a_huge_form_is_refused_with_a_sentence(client: TestClient) -> None:
    refused = client.post("/language", data={"language": "x" * 100_000}, headers={"origin": BASE})
    assert refused.status_code == 400 and "longer than 64000 bytes" in refused.text


def test_an_unknown_path_has_a_page(client: TestClient) -> None:
    shown = client.get("/nothing")
    assert shown.status_code == 404 and "There is no such page." in shown.text
