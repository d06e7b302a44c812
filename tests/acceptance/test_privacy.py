"""What is private stays out: secrets planted through every door are in no file and in no message."""

import json
import os
import random
import signal
import string
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from stack import Stack, lines, new_stack
from waiting import until

from collector.intake import Intake
from data.importers import rejects
from data.importers.line import read_line
from db.engine import open_store
from memo.core.events import Event, Operation
from memo.core.settings import Settings
from memo.protocols import Batch, Past

EACH = 10
"""Secrets of each kind: one in each place where that kind is told apart. There are ten kinds."""
CALM = 60
"""Events of no interest: enough to train on."""
RULES = {
    "MEMO_PRIVACY__APPS": '["vault"]',
    "MEMO_PRIVACY__SITES": '["kept-out.example"]',
    "MEMO_PRIVACY__FOLDERS": '["~/kept-out"]',
    "MEMO_PRIVACY__TITLES": '["operation midnight"]',
    "MEMO_TRAIN__MINIMUM_EVENTS": "50",
    "MEMO_TRAIN__EPOCHS": "1",
    "MEMO_TRAIN__RANK": "2",
}
UNMARKED = "a page that nobody shall see"
"""Title of a private window that looks like any other."""
Fields = dict[str, str]
"""An event as an object, without its time."""
RANDOM = random.Random(5)


def word(length: int = 12) -> str:
    """Letters that stand nowhere else."""
    return "".join(RANDOM.choices(string.ascii_lowercase, k=length))


def token(length: int) -> str:
    """Random letters and digits, as keys have them."""
    return "aB3xY9" + "".join(RANDOM.choices(string.ascii_letters + string.digits, k=length - 6))


def card() -> str:
    """A number with the sum that a card's has."""
    digits = [4, *RANDOM.choices(range(10), k=14)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[::2]) + sum(digits[1::2])
    return "".join(map(str, [*digits, -doubled % 10]))


def focus(title: str, app: str = "editor") -> Fields:
    return {"operation": "window_focus", "target": title, "app": app}


def visit(site: str, title: str) -> Fields:
    return {"operation": "web_visit", "target": site, "detail": title}


def file(name: str, folder: str, app: str = "editor") -> Fields:
    return {"operation": "file_access", "target": name, "detail": folder, "app": app}


def anywhere(secret: str, number: int) -> Fields:
    """In one of the places where a text may stand."""
    return [
        focus(f"Re: {secret} - Mail"),
        visit("forum.example", f"About {secret}"),
        file(f"{secret}.txt", "/srv/notes"),
        {"operation": "process_start", "target": "tool", "executable": f"/opt/{secret}/tool"},
    ][number % 4]


def of_an_app(name: str, number: int) -> Fields:
    return [
        focus(name, "Vault"),
        file(name, "/srv/notes", "org.example.Vault"),
        {"operation": "process_start", "target": "vault", "executable": f"/opt/{name}/vault"},
        {"operation": "app_usage", "target": "vault.exe", "detail": "9", "executable": name},
    ][number % 4]


def builtin(name: str, number: int) -> Fields:
    return [
        focus(name, "org.keepassxc.KeePassXC"),
        visit(f"{name}.paypal.com", name),
        file(name, "~/.ssh"),
        focus(f"{name} - Online Banking - Mozilla Firefox", "firefox-esr"),
        visit(f"{name}.xxx", name),
    ][number % 5]


def private(name: str, number: int) -> Fields:
    return [
        focus(f"{name} — Mozilla Firefox Private Browsing", "firefox-esr"),
        focus(f"{name} - [InPrivate] - Microsoft Edge", "msedge.exe"),
        focus(f"{name} - Google Chrome (Incognito)", "chromium"),
        focus(f"{name} — Mozilla Firefox 隐私浏览", "firefox"),
    ][number % 4]


def key(number: int) -> str:
    return [f"AKIA{token(16).upper()}", f"ghp_{token(36)}", f"eyJ{token(20)}.{token(30)}.{token(20)}"][number % 3]


KINDS: list[Callable[[int], tuple[str, Fields]]] = [
    lambda number: ((mail := f"{word()}@{word()}.example"), anywhere(mail, number)),
    lambda number: ((number_ := card()), anywhere(number_, number)),
    lambda number: ((known := key(number)), anywhere(known, number)),
    lambda number: ((run := token(40)), anywhere(run, number)),
    lambda number: ((secret := word()), anywhere(f"password={secret}", number)),
    lambda number: ((name := word()), of_an_app(name, number)),
    lambda number: ((name := word()), visit(f"{name}.kept-out.example", name)),
    lambda number: ((name := word()), file(name, f"~/kept-out/{name}")),
    lambda number: ((name := word()), focus(f"Operation Midnight: {name}")),
    lambda number: ((name := word()), [builtin, private][number % 2](name, number // 2)),
]


def planted() -> tuple[list[str], list[Fields]]:
    """The secrets and the events in which they stand."""
    found = [kind(number) for kind in KINDS for number in range(EACH)]
    secrets, events = [secret for secret, _ in found], [event for _, event in found]
    assert len(set(secrets)) == len(secrets) == 100
    return secrets, events


def written(events: list[Fields], day: int) -> list[str]:
    """A line for each, some seconds apart, on a day of its own."""
    begin = datetime(2026, 3, day, 9, tzinfo=UTC)
    return [json.dumps({"at": (begin + timedelta(seconds=7 * n)).isoformat(), **one}) for n, one in enumerate(events)]


def found_in(stack: Stack, secrets: list[str]) -> list[tuple[str, str]]:
    """Each file, and what of the secrets stands in it; the owner's own inbox apart."""
    return [
        (path.name, secret)
        for path, held in stack.contents().items()
        for secret in secrets
        if secret.encode() in held or secret in str(path)
    ]


def redacted(stack: Stack, rule: str) -> int:
    """How many events a rule has changed or left out."""
    return int(stack.one(f"SELECT coalesce(sum(events), 0) FROM redactions WHERE rule = '{rule}'"))


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with new_stack(**RULES) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def through_intake(stack: Stack, events: list[str]) -> list[str]:
    """Emit the events as every source would, live and as its past; return the names of the sources."""
    settings = Settings.load()
    store = open_store(settings, stack.home)
    intake = Intake(store, settings, stack.home, lambda scope: None)
    names = sorted(entry.name for entry in entry_points(group="memo.sources"))
    for day, name in enumerate(names):
        given = [read_line(line.encode(), UTC) for line in events]
        unmarked = Event(given[-1].at, Operation.WINDOW_FOCUS, f"{UNMARKED} - Chromium", "chromium")
        moved = [event_at(event, timedelta(days=day)) for event in (*given, *[unmarked] * (name != "inbox"))]
        intake.store_batches(name, Batch(moved, "test", {}))
        intake.store_past(name, Past([event_at(event, timedelta(days=60)) for event in moved], "test past", {}))
    store.close()
    return names


def event_at(event: Event, later: timedelta) -> Event:
    return replace(event, at=event.at + later)


def test_a_hundred_secrets_are_nowhere(stack: Stack, tmp_path: Path) -> None:
    secrets, events = planted()
    stack.ok("up")
    with stack.subscriber() as received:
        stack.append(lines(CALM, "2026-03-01 09:00:00"))
        stack.append(written(events, 2), "more.jsonl")
        stack.append([f"no event: {secret}" for secret in secrets], f"{secrets[0]}.txt")
        names = through_intake(stack, written(events, 3))
        for number, lines_ in enumerate((written(events, 25), [f"{{{secret}" for secret in secrets])):
            imported = tmp_path / f"{secrets[number]}.jsonl"
            imported.write_text("\n".join([*lines_, *lines(1, "2026-03-26 09:00:00")]), encoding="utf-8")
            said = stack.ok("import", str(imported)).replace(str(imported), "")
            assert not [secret for secret in secrets if secret in said]
        stack.append(lines(5, "2026-03-27 09:00:00"))
        doors = 2 + 2 * len(names)
        until("all is read", lambda: redacted(stack, "titles") == EACH * doors)
        until("all is rejected", lambda: rejects.count(stack.home.rejects) == 2 * len(secrets))
        stack.until_predicted()
        assert until("messages", received)
    stack.ok("train", "--activate")
    assert "[redacted]" in str(stack.sql("SELECT target, detail, executable FROM events"))
    shown = (
        stack.ok("why", "--redacted")
        + stack.ok("status")
        + stack.ok("sources")
        + stack.ok("history", "--format", "json")
    )
    counts = {row["rule"]: row["events"] for row in json.loads(stack.ok("why", "--redacted", "--json"))}
    assert counts.keys() == {"apps", "sites", "folders", "titles", "builtin", "chromium_titles", "secrets"}
    assert counts == stack.status()["private"]
    assert counts["apps"] == counts["sites"] == counts["folders"] == counts["titles"] == EACH * doors
    for source in json.loads(stack.ok("sources", "--json")):
        assert source["private"]["titles"] == EACH * (3 if source["name"] == "inbox" else 2)
    assert not [secret for secret in secrets if secret in shown]
    assert found_in(stack, [*secrets, UNMARKED]) == []
    stack.ok("down")
    assert found_in(stack, [*secrets, UNMARKED]) == []
    assert found_in(stack, ["App3"]), "what is not private is found by the same look"


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack whose settings stand in its file alone."""
    with new_stack() as made:
        monkeypatch.setenv("MEMO_HOME", str(made.home.root))
        yield made


def test_with_settings_that_can_not_be_read_nothing_is_recorded(plain: Stack) -> None:
    plain.ok("up")
    plain.append(lines(2, "2026-03-01 09:00:00"))
    plain.until_stored(2)
    collector = plain.part("collector")["pid"]
    whole = plain.home.config.read_text(encoding="utf-8")
    plain.home.config.write_text('[privacy]\ntitles = ["("]\n', encoding="utf-8")
    os.kill(collector, signal.SIGKILL)
    state = plain.home.state
    until("it is given up", lambda: '"failed"' in state.read_text(encoding="utf-8"))
    plain.append(lines(3, "2026-03-02 09:00:00"))
    for words in (["status"], ["sources"], ["import", "x"]):
        done = plain.memo(*words)
        assert (done.returncode, done.stdout) == (2, "") and str(plain.home.config) in done.stderr
    assert str(plain.home.config) in (plain.home.logs / "collector.out").read_text(encoding="utf-8")
    assert plain.one("SELECT count(*) FROM events") == 2
    plain.ok("down")
    assert plain.memo("up").returncode == 2
    plain.home.config.write_text(whole, encoding="utf-8")
    plain.ok("up")
    plain.until_stored(5)
