"""Versions that were trained on what a newer privacy rule excludes are retired, with their files."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from stores import make_store, store_events
from typer.testing import CliRunner

from cli.setup import config
from db.engine import Store, open_store
from db.intake import events, scopes
from db.models import VersionRow
from db.prediction import versions
from db.upkeep import jobs, runs
from db.upkeep.retrain import find_outlook
from forget import retire
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import PrivacySettings, ScheduleSettings, Settings
from memo.privacy.exclusions import digest_rules, leave_out_rules
from memo.stack import running
from scheduler import tick, upkeep
from training import build_version

SCOPE = "ada@host"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
EDITOR = Event(START, Operation.WINDOW_FOCUS, "plan - notes", "editor")
SIGNAL = Event(START + timedelta(minutes=5), Operation.WINDOW_FOCUS, "Ada", "signal")
CALC = Event(START + timedelta(minutes=9), Operation.WINDOW_FOCUS, "sheet", "calc")
RULES = PrivacySettings()
NEWER = PrivacySettings(apps=["signal"])


@pytest.fixture
def store(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with an event of the app that is excluded later, between two others."""
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    settings = Settings.load()
    make_store(settings, home)
    opened = open_store(settings, home)
    with opened.write() as session:
        given = [EDITOR, SIGNAL, CALC]
        store_events(session, SCOPE, given)
    yield opened
    opened.close()


def register(store: Store, home: Home, name: str, last: Event, rules: PrivacySettings | None = RULES) -> Path:
    """A version that was trained on the events up to one, under rules; it is active then."""
    folder = home.models / name
    folder.mkdir()
    metrics: dict[str, Any] = {"span": [START.isoformat(), last.at.isoformat()]}
    metrics |= {"rules": digest_rules(rules)} if rules else {}
    with store.write() as session:
        scopes.lock_scope(session, SCOPE)
        path = f"models/{name}"
        versions.add_version(session, name, SCOPE, base="builtin", path=path, parent=None, metrics=metrics)
        build_version.activate(session, SCOPE, name)
    return folder


def left(store: Store) -> list[str]:
    with store.read() as session:
        return sorted(row.id for row in versions.find_versions(session))


def serving(store: Store) -> VersionRow | None:
    with store.read() as session:
        return versions.find_serving(session, SCOPE, SCOPE)


def is_due(store: Store, privacy: PrivacySettings) -> bool:
    with store.read() as session:
        return retire.is_due(session, Home.find(), privacy)


def test_version_trained_on_what_is_excluded_since_is_retired(store: Store, home: Home) -> None:
    kept, gone = register(store, home, "v0001", EDITOR), register(store, home, "v0002", SIGNAL)
    with store.write() as session:
        run = runs.add_run(session, runs.TRAIN, SCOPE)
        assert run is not None
        runs.record_result(session, run.id, "done", {})
    assert not is_due(store, RULES) and retire.retire_excluded(store, home, RULES) == []
    assert is_due(store, NEWER) and retire.retire_excluded(store, home, NEWER) == ["v0002"]
    assert left(store) == ["v0001"] and kept.is_dir() and not gone.exists()
    assert serving(store) is None, "the history and the built-in version serve"
    assert not is_due(store, NEWER), "the version that is left was checked"
    with store.read() as session:
        outlook = find_outlook(session, SCOPE, ScheduleSettings(retrain_actions=1_000), datetime.now(UTC))
        assert outlook.is_due and outlook.reason.startswith("versions were deleted on "), (
            "however little was done since"
        )
        assert len(events.find_newest_events(session, SCOPE)) == 3, "the events stay"


def test_version_trained_under_the_rule_is_kept(store: Store, home: Home) -> None:
    register(store, home, "v0001", CALC, NEWER)
    other = NEWER.model_copy(update={"sites": ["bank.example"]})
    assert is_due(store, other) and retire.retire_excluded(store, home, other) == []
    assert left(store) == ["v0001"] and not is_due(store, other)


def test_version_of_unknown_rules_is_checked_by_all(store: Store, home: Home) -> None:
    register(store, home, "v0001", EDITOR, rules=None)
    register(store, home, "v0002", CALC, rules=None)
    assert is_due(store, NEWER) and retire.retire_excluded(store, home, NEWER) == ["v0002"]


def test_training_that_goes_on_is_left_if_nothing_is_retired(store: Store, home: Home) -> None:
    register(store, home, "v0001", EDITOR)
    unfinished = home.models / "unfinished-1"
    unfinished.mkdir()
    assert retire.retire_excluded(store, home, NEWER) == [] and unfinished.is_dir()
    register(store, home, "v0002", CALC, RULES)
    assert retire.retire_excluded(store, home, NEWER) == ["v0002"] and not unfinished.exists()


def test_config_set_says_which_version_it_retires(store: Store, home: Home) -> None:
    register(store, home, "v0001", CALC)
    assert "trained on" not in CliRunner().invoke(config.app, ["set", "privacy.apps", "other"]).output
    said = CliRunner().invoke(config.app, ["set", "privacy.apps", "other", "signal"]).output
    assert "v0001 was trained on what is excluded now, and was deleted; the built-in version serves" in said
    assert left(store) == [] and serving(store) is None


def test_upkeep_retires_after_a_change_of_the_file(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[tuple[Home, str]] = []
    monkeypatch.setattr(running, "request", lambda *given: requests.append(given))
    register(store, home, "v0001", CALC)
    with store.write() as session:
        for name in tick.JOBS:
            jobs.record_run(session, name, "")
    tick.run(Mock(), Settings.load(), store)
    assert requests == []
    home.config.write_text('[privacy]\napps = ["signal"]\n')
    tick.run(Mock(), Settings.load(), store)
    assert requests == [(home, running.UPKEEP)]
    upkeep.run(Settings.load(), store)
    assert left(store) == []
    with store.read() as session:
        assert jobs.find_last_result(session, "exclusions").startswith("v0001 was trained on what is excluded now")
    tick.run(Mock(), Settings.load(), store)
    assert requests == [(home, running.UPKEEP)]


def test_rules_that_are_known_are_left_out() -> None:
    settings = PrivacySettings(apps=["signal", "mail"], titles=["secret"])
    known = digest_rules(PrivacySettings(apps=["mail"]))
    newer = leave_out_rules(settings, known)
    assert (newer.apps, newer.titles, newer.builtin) == (["signal"], ["secret"], False)
    assert leave_out_rules(settings, digest_rules(settings)).builtin is False
    assert digest_rules(leave_out_rules(settings, digest_rules(settings))) == []
    assert digest_rules(PrivacySettings(sites=["a.example"])) != digest_rules(PrivacySettings(titles=["a.example"]))
