"""The real stack forgets while it runs: nothing of it is left but the owner's own files, and it predicts on."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from stack import SCOPE, Stack, new_stack
from waiting import until

from memo.core.settings import Settings
from memo.stack import broker
from memo.stack.task_queue import stream_key

SECRETS = ("Zeugnis-7f3a9", "工资单-三月")
ROUNDS = 6
HOLDERS = {"memo.db-wal", "dispatcher.log", "dispatched.jsonl"}  # files that name what was predicted


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack that has stored, predicted and acted on secrets, and is served by a version trained on them."""
    acting = {"MEMO_DISPATCH__MINIMUM_PROBABILITY": "0", "MEMO_DISPATCH__COOLDOWN_S": "0"}
    training = {"MEMO_TRAIN__MINIMUM_EVENTS": "10", "MEMO_TRAIN__EPOCHS": "1", "MEMO_TRAIN__RANK": "2"}
    with new_stack(**acting, **training) as made:
        made.ok("up")
        for number in range(ROUNDS - 1):
            made.predict(day(number))
        for line in day(ROUNDS - 1):
            made.predict([line])
        until("both are acted on", lambda: all("dispatched.jsonl" in holders(made, secret) for secret in SECRETS))
        made.ok("train", "--activate")
        yield made


def day(number: int) -> list[str]:
    """A small round of acts, the secrets among them."""
    at = datetime(2026, 3, 2, 9) + timedelta(hours=number)
    windows = zip(SECRETS, ("Editor", "Viewer"), strict=True)  # an app in front is in use, and not acted on
    acts = ("Started app: Editor", *(f"Switched to window: {secret} - notes (app: {app})" for secret, app in windows))
    visit = "Visited site shop.example, page 'Offers'"
    return [f"{at + timedelta(minutes=n)} - {act}" for n, act in enumerate((*acts, visit, "Closed app: Editor"))]


def holders(stack: Stack, secret: str) -> list[str]:
    """Return the files that hold a text, plain or as JSON writes it, without the owner's own files."""
    forms = {secret.encode(), json.dumps(secret).strip('"').encode()}
    return sorted(path.name for path, held in stack.contents().items() if any(form in held for form in forms))


def on_stream(stack: Stack) -> str:
    url = broker.broker_url(stack.home, Settings(scope=SCOPE))
    with broker.connect(url) as client:
        return "".join(
            json.dumps(json.loads(fields[b"json"]), ensure_ascii=False) for _, fields in client.xrange(stream_key())
        )


def test_forget_leaves_nothing_running_or_stopped(stack: Stack) -> None:
    forget_while_running(stack)
    forget_while_stopped(stack)


def forget_while_running(stack: Stack) -> None:
    for secret in SECRETS:
        until("the files that name it", lambda secret=secret: set(holders(stack, secret)) >= HOLDERS)  # type: ignore[misc]
        until("the message that names it", lambda secret=secret: secret in on_stream(stack))  # type: ignore[misc]
    before = stack.one("SELECT count(*) FROM events")
    predictions = stack.one("SELECT count(*) FROM predictions")
    for secret in SECRETS:
        said = json.loads(stack.ok("forget", "--text", secret.upper(), "--yes", "--json"))
        assert said["events"] == ROUNDS and said["versions"] == (["v0001"] if secret == SECRETS[0] else [])
    assert json.loads(stack.ok("model", "list", "--json")) == [] and list(stack.home.models.glob("v0001*")) == []
    assert stack.one("SELECT count(*) FROM predictions") > predictions - 2 * ROUNDS, "those that follow others stay"
    for secret in SECRETS:
        assert holders(stack, secret) == []
        assert secret not in on_stream(stack)
    assert stack.one("SELECT count(*) FROM events") == before - 2 * ROUNDS
    at = datetime(2026, 3, 3, 9)
    for number, act in enumerate(
        ("Started app: Editor", "Visited site shop.example, page 'Offers'", "Started app: Editor")
    ):
        stack.predict([f"{at + timedelta(minutes=number)} - {act}"])
    assert "shop.example" in on_stream(stack), "it predicts on"
    assert stack.one("SELECT model_version FROM predictions ORDER BY id DESC LIMIT 1") == "builtin"
    for secret in SECRETS:
        assert holders(stack, secret) == []
        assert secret not in on_stream(stack)
    assert stack.one("SELECT count(*) FROM events") == before - 2 * ROUNDS + 3, "the inbox is not read again"
    assert {(part["state"], part["restarts"]) for part in stack.status()["parts"]} == {("running", 0)}


def forget_while_stopped(stack: Stack) -> None:
    stack.ok("down")
    stored = stack.one("SELECT count(*) FROM events")
    assert json.loads(stack.ok("forget", "--site", "shop.example", "--yes", "--json"))["events"] > 0
    assert holders(stack, "shop.example") == []
    left = stack.one("SELECT count(*) FROM events")
    stack.ok("up")
    stack.predict(["2026-03-04 09:00:00 - Started app: Editor", "2026-03-04 09:01:00 - Closed app: Editor"])
    assert stack.one("SELECT count(*) FROM events") == left + 2 < stored
    for thing in ("shop.example", *SECRETS):
        assert holders(stack, thing) == [] and thing not in on_stream(stack)
    assert stack.ok("export").count('"kind": "event"') == left + 2
