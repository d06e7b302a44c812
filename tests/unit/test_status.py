from typing import Any

import pytest

from cli.stack.status import collect, facts, headline, status
from data.importers import Reject, rejects
from db.upkeep.jobs import NOT_YET
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack.guard import refusals

FOUND: dict[str, Any] = {
    "events": 14,
    "predictions": 12,
    "sources": {},
    "scope": "ada@host",
    "queues": None,
    "inbox": "/i",
    "rejects": "/r",
    "rejected": 0,
    "refused": 0,
    "names_on_broker": "memo",
    "store": "sqlite",
    "broker": "/b",
}


def scope(**given: Any) -> dict[str, Any]:
    rates = {"settled": 4, "hit@1": 0.5, "hit@3": 0.75, "hit@5": 1.0}
    return {"version": "builtin", "events": 7, "predictions": 6, "without_model": 0, **rates, **given}


def test_status_counts_rejected_lines_and_names_their_folder(home: Home) -> None:
    assert collect(home, Settings.load())["rejected"] == 0
    assert "rejected lines" not in dict(facts(FOUND))
    for name, lines in (("a.txt", 2), ("b.txt", 1)):
        rejects.write(home.rejects, name, [Reject.of("line", number, "no event", b"x") for number in range(lines)])
    found = collect(home, Settings.load())
    assert (found["rejected"], found["rejects"]) == (3, str(home.rejects))
    assert dict(facts(found))["rejected lines"] == f"3; the reasons are in {home.rejects}"


def test_status_counts_refused_messages(home: Home) -> None:
    assert "refused messages" not in dict(facts(FOUND))
    refusals.record(home, "is not JSON")
    assert dict(facts(collect(home, Settings.load())))["refused messages"].startswith("1;")


def test_facts_show_hit_rates_beside_their_scope() -> None:
    sample = scope(version="v1", without_model=2, acts=4) | {"place@1": 0.25}
    scopes = {"ada@host": scope(acts=0), "sample@memo": sample, "new@host": scope(settled=0, acts=0)}
    rows = dict(facts(FOUND | {"scopes": scopes}))
    rates = "next event hit@1 50%, hit@3 75%, hit@5 100%"
    assert rows["ada@host"] == f"7 events, 6 predictions, {rates}, version builtin"
    assert rows["sample@memo"] == (
        "7 events, 6 predictions, 2 without the language model, next place hit@1 25%, version v1"
    ), "what a person sees is about what people do"
    assert rows["new@host"] == "7 events, 6 predictions, version builtin"


def test_facts_have_a_row_for_each_source() -> None:
    sources = {
        "inbox": {"state": "watching", "says": "", "failures": 0},
        "x11": {"state": "failed", "says": "the screen is gone", "failures": 2},
        "web": {"state": "missing", "says": "no history", "failures": 0},
        "sway": {"state": "missing", "says": "no sway", "failures": 0},
    }
    rows = dict(facts(FOUND | {"sources": sources}))
    assert rows["source inbox"] == "watching"
    assert rows["source x11"] == "failed (2 failures): the screen is gone"
    assert rows["missing sources"] == "sway, web; `memo sources` lists what they need"
    assert "source web" not in rows


def test_facts_list_jobs_not_run_yet_in_one_row() -> None:
    results = {"evaluate": NOT_YET, "prune": "3 predictions removed", "retrain": NOT_YET}
    jobs = [
        {"name": name, "last_run": "2026-03-02T09:15:04", "last_result": result} for name, result in results.items()
    ]
    rows = dict(facts(FOUND | {"jobs": jobs}))
    assert (rows["jobs not run yet"], rows["job prune"]) == (
        "evaluate, retrain",
        "2026-03-02 09:15:04 UTC: 3 predictions removed",
    )
    assert "job evaluate" not in rows
    assert "jobs not run yet" not in dict(facts(FOUND))


def test_facts_count_what_privacy_rules_did() -> None:
    assert "privacy rules" not in dict(facts(FOUND | {"private": {}}))
    rows = dict(facts(FOUND | {"private": {"apps": 3, "secrets": 1}}))
    assert rows["privacy rules"] == "apps 3, secrets 1 (events dropped or changed; see `memo why --redacted`)"


def test_headline_says_when_a_pause_ends(home: Home) -> None:
    settings = Settings.load()
    assert collect(home, settings)["paused"] is False
    home.paused.touch()
    found = collect(home, settings)
    assert (found["paused"], found["paused_until"]) == (True, None)
    assert headline(found) == "MEMO is not running, paused until `memo resume`; `memo up` starts it."
    found = {"running": True, "pid": 7, "paused": True, "paused_until": "2026-03-02T09:15:04+01:00"}
    assert headline(found) == "MEMO runs (process 7), paused until 2026-03-02 09:15:04."


def test_status_in_a_pipe_shortens_no_path(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = home.root / "/".join(["a folder with a rather long name"] * 2)
    deep.mkdir(parents=True)
    monkeypatch.setenv("MEMO_HOME", str(deep))
    monkeypatch.delenv("COLUMNS", raising=False)
    status()
    assert str(deep / "inbox") in [line.partition(" ")[2].strip() for line in capsys.readouterr().out.splitlines()]


def test_late_predictions_are_told_as_a_part_of_all() -> None:
    given = scope(acts=3, late=1) | {f"{name}@{rank}": 0.5 for name in ("place", "person") for rank in (1, 3, 5)}
    assert dict(facts(FOUND | {"scopes": {"ada@host": given}}))["next place"].endswith(
        "of 3 acts; 1 of 4 predictions came too late"
    )


def test_facts_show_how_often_what_was_wanted_was_upcoming() -> None:
    rows = dict(facts(FOUND | {"scopes": {"ada@host": scope(wants=4, **{"upcoming@3": 0.5, "upcoming@5": 0.75})}}))
    assert rows["upcoming"] == "among the first three in 50% and the first five in 75% of 4"
    assert "upcoming" not in dict(facts(FOUND | {"scopes": {"ada@host": scope(wants=0)}}))
