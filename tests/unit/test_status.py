from typing import Any

from cli.stack.status import _paused, _said, collect
from data.importers import Reject, rejects
from db.upkeep.jobs import NOT_YET
from memo.core.paths import Home
from memo.core.settings import Settings

FOUND: dict[str, Any] = {
    "events": 14,
    "predictions": 12,
    "sources": {},
    "scope": "ada@host",
    "queues": None,
    "inbox": "/i",
    "rejects": "/r",
    "rejected": 0,
    "store": "sqlite",
    "broker": "/b",
}


def scope(**given: Any) -> dict[str, Any]:
    rates = {"settled": 4, "hit@1": 0.5, "hit@3": 0.75, "hit@5": 1.0}
    return {"version": "builtin", "events": 7, "predictions": 6, "without_model": 0, **rates, **given}


def test_rejected_lines_are_counted_and_their_place_is_named(home: Home) -> None:
    assert collect(home, Settings.load())["rejected"] == 0
    assert "rejected lines" not in dict(_said(FOUND))
    for name, lines in (("a.txt", 2), ("b.txt", 1)):
        rejects.write(home.rejects, name, [Reject.of("line", number, "no event", b"x") for number in range(lines)])
    found = collect(home, Settings.load())
    assert (found["rejected"], found["rejects"]) == (3, str(home.rejects))
    assert dict(_said(found))["rejected lines"] == f"3; {home.rejects} says why"


def test_hit_rates_stand_beside_their_scope() -> None:
    scopes = {"ada@host": scope(), "sample@memo": scope(version="v1", without_model=2), "new@host": scope(settled=0)}
    said = dict(_said(FOUND | {"scopes": scopes}))
    assert said["ada@host"] == "7 events, 6 predictions, hit@1 50%, hit@3 75%, hit@5 100%, version builtin"
    assert said["sample@memo"] == "7 events, 6 predictions, 2 without the language model, hit@1 50%, version v1"
    assert said["new@host"] == "7 events, 6 predictions, version builtin"


def test_each_source_has_its_row() -> None:
    sources = {
        "inbox": {"state": "watching", "says": "", "failures": 0},
        "x11": {"state": "failed", "says": "the screen is gone", "failures": 2},
        "web": {"state": "missing", "says": "no history", "failures": 0},
        "sway": {"state": "missing", "says": "no sway", "failures": 0},
    }
    said = dict(_said(FOUND | {"sources": sources}))
    assert said["source inbox"] == "watching"
    assert said["source x11"] == "failed (2 failures): the screen is gone"
    assert said["sources missing"] == "sway, web; `memo sources` says what they need"
    assert "source web" not in said


def test_jobs_that_wait_are_one_row() -> None:
    results = {"evaluate": NOT_YET, "prune": "3 predictions removed", "retrain": NOT_YET}
    jobs = [{"name": name, "last_run": "2026-03-02T09:15:04", "last_result": said} for name, said in results.items()]
    said = dict(_said(FOUND | {"jobs": jobs}))
    assert (said["not run yet"], said["prune"]) == ("evaluate, retrain", "2026-03-02T09:15:04: 3 predictions removed")
    assert "evaluate" not in said
    assert "not run yet" not in dict(_said(FOUND))


def test_what_privacy_rules_did_is_counted() -> None:
    assert "kept out or changed" not in dict(_said(FOUND | {"private": {}}))
    said = dict(_said(FOUND | {"private": {"apps": 3, "secrets": 1}}))
    assert said["kept out or changed"] == "apps 3, secrets 1 (events; `memo why --redacted`)"


def test_a_pause_is_said_with_its_end(home: Home) -> None:
    settings = Settings.load()
    assert collect(home, settings)["paused"] is False
    home.paused.touch()
    found = collect(home, settings)
    assert (found["paused"], found["paused_until"]) == (True, None)
    assert _paused(found) == ", paused until `memo resume`"
    assert (
        _paused({"paused": True, "paused_until": "2026-03-02T09:15:04+01:00"}) == ", paused until 2026-03-02 09:15:04"
    )
