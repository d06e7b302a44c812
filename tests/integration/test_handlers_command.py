"""`memo handlers`, and what `memo why` and `memo status` show of handlers, on a store with a ledger."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import forked
import pytest
from dispatching import SCOPE, action, dispatch, happen, opened_store, predict, under
from sqlalchemy import update

from cli.stack import doctor, handlers, status
from db.dispatch import handlers as resting
from db.models import DispatchRow, PredictionRow
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from worker.dispatch.handler_list import NOTHING, list_handlers
from worker.resources import Resources

TOML = f"""
scope = "{SCOPE}"
[dispatch]
on = ["log", "webhook", "gone"]
[dispatch.routes]
web_visit = ["log", "record", "webhook", "mistyped"]
process_start = ["ask"]
process_end = ["notify"]
"""


@pytest.fixture
def opened(home: Home) -> Iterator[Resources]:
    home.config.write_text(TOML)
    with opened_store(home.database_url, home) as context:
        yield context


def memo(*words: str) -> "subprocess.CompletedProcess[str]":
    return forked.run(words, os.environ, Path.cwd())


def found(home: Home) -> dict[str, dict[str, Any]]:
    return {handler["name"]: handler for handler in list_handlers(home, Settings.load())}


def test_handlers_are_on_dry_off_or_missing(home: Home) -> None:
    home.config.write_text(TOML)
    states = {name: handler["state"] for name, handler in found(home).items()}
    known = {"log": "on", "record": "dry", "webhook": "on", "gone": "missing", "notify": "off", "preload_app": "dry"}
    known |= {"mistyped": "missing", "ask": "dry"}
    assert states.items() >= known.items()
    assert found(home)["log"] | {"says": ""} == NOTHING | {
        "name": "log",
        "state": "on",
        "says": "",
        "balance_s": 0.0,
    }, "without a store too"


def test_doctor_names_handlers_that_are_not_installed(home: Home) -> None:
    home.config.write_text(TOML + '[sources]\non = ["inbox", "x12"]\n')
    with pytest.raises(MemoError, match="provides gone, mistyped, x12; correct the name in"):
        doctor.CHECKS["settings"](home, Settings.load())


def test_handlers_show_the_ledger_of_each(opened: Resources, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(under(opened, "log"), predict(opened, "a"))
    dispatch(under(opened, "log"), predict(opened, "b"))
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(outcome="hit", gain_s=2.5, cost_ms=1_500.0, read_bytes=3_000_000))
        resting.record_rest(session, SCOPE, "log", "its last 20 goes cost 5.0 s and saved 1.0 s")
    handler = found(home)["log"]
    assert (handler["goes"], handler["hits"], handler["waste"], handler["read_bytes"]) == (2, 2, 0, 6_000_000)
    assert (handler["saved_s"], handler["cost_s"], handler["balance_s"]) == (5.0, 3.0, 2.0)
    assert handler["state"] == "resting"
    assert datetime.fromisoformat(handler["until"]) > datetime.now(UTC) + timedelta(minutes=59)
    handlers.handlers()
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("log "))
    assert line.split()[:10] == ["log", "resting", "2", "0", "2", "0", "6", "5.0", "s", "+2.0"]
    assert line.endswith("its last 20 goes cost 5.0 s and saved 1.0 s")
    facts = dict(status.facts(status.collect(home, Settings.load())))
    assert facts["handler log"].startswith("turned itself off until 20")


def test_why_names_the_gate_that_stopped_each_handler(opened: Resources, home: Home) -> None:
    home.config.write_text(f'scope = "{SCOPE}"\n[dispatch.routes]\nweb_visit = ["log", "record"]\n')
    stopped = predict(opened, "a\x1b[31m", 0.31)
    dispatch(under(opened, "log", "record"), stopped)
    done = memo("why", str(stopped), "--json")
    acts = json.loads(done.stdout)["handlers"]
    assert [(act["handler"], act["status"], act["detail"]) for act in acts] == [
        (name, "stopped", "confidence: 0.31 is below 0.50") for name in ("log", "record")
    ]
    done = memo("why", str(stopped))
    assert "log: visit a [31m 31%, stopped (confidence: 0.31 is below 0.50)" in done.stdout.splitlines()


def test_why_without_an_id_explains_the_newest(opened: Resources, home: Home) -> None:
    home.config.write_text(f'scope = "{SCOPE}"\n')
    older, newest = predict(opened, "a"), predict(opened, "b")
    done = memo("why")
    assert done.stdout.startswith(f"#{newest} ") and older < newest


def test_why_explains_first_what_the_person_does(opened: Resources) -> None:
    happen(opened, *"abacabacabac")
    whole, old = predict(opened, "a"), predict(opened, "b")
    with opened.store.write() as session:
        row = session.get_one(PredictionRow, whole)
        row.person = [row.person[0] | {"action": action(name)} for name in "ab"]
        row.places = [{"operation": "web_visit", "name": name, "probability": 0.4} for name in "ab"]
        session.execute(update(PredictionRow).where(PredictionRow.id == old).values(person=[], candidates=[]))
    done = memo("why", str(whole))
    lines = done.stdout.splitlines()
    questions = [line for line in lines if line.startswith(("Where you", "What you", "The next event"))]
    assert questions == [
        "Where you go next: visit a 40%, visit b 40%",
        "What you do next: visit a 90%, visit b 90%",
        "The next event of any kind: visit noise 99%",
    ]
    assert lines[lines.index(questions[0]) + 1] == "The first ranks above visit b because of"
    done = memo("why", str(old))
    assert done.stdout.splitlines()[1:] == [
        "It names nothing: only 14 events had been seen, and what was never seen can't be predicted.",
    ]
    done = memo("why", "999")
    assert done.stderr.strip().endswith("There is no prediction 999; `memo history` lists the ids.")
