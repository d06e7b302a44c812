"""`memo status`: show what is running and stored, and how good the predictions are."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cli.stack.sources import doing
from cli.terminal.options import Json
from cli.terminal.output import console, counted, print_facts, print_json
from data.importers import rejects
from db.store_access import read_session
from memo.clock import pauses
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running
from memo.stack.broker import broker_url, key_prefix, measure_queues, redact_url
from memo.stack.guard import refusals
from memo.stack.task_queue import PREFIX

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

RANKS = (1, 3, 5)  # of the hit rates
AMONG = {"three": 3, "five": 5}


def status(as_json: Json = False) -> None:
    """Show what is running, what is stored, and the hit rates."""
    found = collect(Home.find(), Settings.load())
    (print_json if as_json else _show)(found)


def collect(home: Home, settings: Settings) -> dict[str, Any]:
    """Return the whole state as JSON; the counts are 0 if there is no store yet, and null if it cannot be read."""
    from db.engine import redacted_store_url

    pause, prefix = pauses.current(home), _prefix(settings)
    queues, unanswered = measure_queues(home, settings) if prefix and running.state(home) else (None, "")
    state = running.state(home)  # again, as the broker may have taken its time
    found, problems = _figures(home, settings, is_running=bool(state))
    return {
        "running": bool(state),
        "pid": state.get("pid"),
        "paused": pause is not None,
        "paused_until": pause.until.astimezone(settings.zone).isoformat() if pause and pause.ends else None,
        "parts": [part | {"memory_mb": _memory_mb(part["pid"])} for part in state.get("parts", [])],
        "sources": running.sources(home),
        "passing": state.get("passing", []),
        "notices": state.get("notices", []),
        "problems": [*state.get("problems", []), *filter(None, [unanswered]), *problems],
        "queues": queues,
        "home": str(home.root),
        "inbox": str(home.inbox),
        "rejects": str(home.rejects),
        "rejected": rejects.count(home.rejects),
        "refused": refusals.count(home),
        "store": redacted_store_url(settings, home),
        "broker": redact_url(broker_url(home, settings)),
        "names_on_broker": prefix,
        "scope": settings.scope,
        **found,
    }


def _figures(home: Home, settings: Settings, is_running: bool) -> tuple[dict[str, Any], list[str]]:
    """Return what is stored, and what is wrong with it."""
    from db.prediction import versions
    from db.upkeep import figures, health

    try:
        with read_session(settings, home) as session:
            impaired = health.find_source_problems(session, home)
            if session is None:
                return {"events": 0, "predictions": 0}, impaired
            problems = health.find_problems(session, settings, home, is_running)
            found = figures.find_figures(session, settings.scope) | {"retrain": _retrain(session, settings, home)}
            for name, scope in found["scopes"].items():
                scope["version"] = versions.find_usable(session, home, settings.model.base, name, settings.scope).name
            return found, [*problems, *impaired]
    except MemoError as error:
        return {"events": None, "predictions": None, "problem": str(error)}, health.find_source_problems(None, home)


def _retrain(session: "Session", settings: Settings, home: Home) -> dict[str, Any]:
    """Return whether the scope is due to be trained, why or when, and what that waits for."""
    from db.upkeep.retrain import find_obstacle, find_outlook

    now = datetime.now(UTC)
    is_due, reason = find_outlook(session, settings.scope, settings.schedule, now)
    waits_for = find_obstacle(session, home, settings.schedule, now) if is_due else ""
    return {"is_due": is_due, "reason": reason, "waits_for": waits_for}


def _prefix(settings: Settings) -> str:
    """Return how names on the broker begin, or nothing if the store has no id yet."""
    with suppress(MemoError):
        return key_prefix(settings, wait_s=0)
    return ""


def _memory_mb(pid: int | None) -> float | None:
    """Return the proportional set size of a part and its children, or None once it has ended."""
    import psutil

    with suppress(psutil.Error, TypeError):
        part = psutil.Process(pid)
        size = sum(process.memory_full_info().pss for process in (part, *part.children(recursive=True)))
        return round(size / 1e6, 1)
    return None


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    console().print(Text(headline(found), "bold"))
    if found["parts"]:
        table = Table("part", "state", "process", "memory", "restarts", box=None, header_style="dim")
        for part in found["parts"]:
            memory = f"{part['memory_mb']:.0f} MB" if part["memory_mb"] else ""
            style = "red" if part["state"] in ("failed", "stuck") else ""
            table.add_row(
                part["name"], part["state"], str(part["pid"] or ""), memory, str(part["restarts"]), style=style
            )
        console().print(table)
    print_facts(facts(found))


def headline(found: dict[str, Any]) -> str:
    """Return whether MEMO is running and whether it is paused, in one sentence."""
    state = f"MEMO runs (process {found['pid']})" if found["running"] else "MEMO is not running"
    start = "" if found["running"] else "; `memo up` starts it"
    if not found["paused"]:
        return f"{state}{start}."
    until = found["paused_until"]
    return f"{state}, paused until {_time(until) if until else '`memo resume`'}{start}."


def _time(iso: str) -> str:
    return iso[:19].replace("T", " ")


def facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows below the headline: a name and a value each."""
    from db.upkeep.jobs import NOT_YET

    queues = ", ".join(f"{name} {length}" for name, length in (found["queues"] or {}).items())
    jobs, training, scopes = found.get("jobs", []), found.get("last_training"), found.get("scopes", {})
    waiting = [job["name"] for job in jobs if job["last_result"] == NOT_YET]
    missing = sorted(name for name, source in found["sources"].items() if source["state"] == "missing")
    rows = [
        *((f"source {name}", _source(source)) for name, source in found["sources"].items() if name not in missing),
        ("missing sources", f"{', '.join(missing)}; `memo sources` lists what they need" if missing else ""),
        *(
            (f"handler {row['handler']}", f"turned itself off until {_time(row['until'])} UTC: {row['reason']}")
            for row in found.get("resting", [])
        ),
        ("events", str(found["events"])),
        ("predictions", str(found["predictions"])),
        ("next place", _person(scopes.get(found["scope"], {}), "place")),
        ("next action", _person(scopes.get(found["scope"], {}), "person")),
        ("upcoming", _upcoming(scopes.get(found["scope"], {}))),
        *((name, _scope(scope, name == found["scope"])) for name, scope in scopes.items()),
        ("privacy rules", _redactions(found.get("private", {}))),
        ("queues", queues),
        ("training", f"{training['state']} for {training['scope']}" if training else ""),
        ("next training", _next_training(found.get("retrain"))),
        *(
            (f"job {job['name']}", f"{_time(job['last_run'])} UTC: {job['last_result']}")
            for job in jobs
            if job["name"] not in waiting
        ),
        ("jobs not run yet", ", ".join(waiting)),
        *(("problem", problem) for problem in [*found.get("problems", []), found.get("problem", "")]),
        ("notice", " ".join(found.get("notices", []))),
        ("rejected lines", f"{found['rejected']}; the reasons are in {found['rejects']}" if found["rejected"] else ""),
        ("refused messages", f"{found['refused']}; another program writes to MEMO's queue" if found["refused"] else ""),
        ("inbox", found["inbox"]),
        ("store", found["store"]),
        ("broker", found["broker"]),
        ("names on it", f"{found['names_on_broker']}…" if found["names_on_broker"] != PREFIX else ""),
    ]
    return [(name, value) for name, value in rows if value]


def _next_training(retrain: dict[str, Any] | None) -> str:
    """Return whether a training is due, why, and what it waits for."""
    if not retrain or not retrain["is_due"]:
        return retrain["reason"] if retrain else ""
    waits = f"; it waits until {retrain['waits_for']}" if retrain["waits_for"] else ""
    return f"due: {retrain['reason']}{waits}"


def _person(scope: dict[str, Any], question: str) -> str:
    """Return how often a question about the person's next action was answered rightly before they acted."""
    if not scope.get("acts"):
        return ""
    first, among = (scope[f"{question}@{rank}"] for rank in RANKS[:2])
    late = f"; {scope['late']} of {scope['acts'] + scope['late']} predictions came too late" if scope["late"] else ""
    return f"first in {first:.0%}, among the first three in {among:.0%} of {scope['acts']} acts{late}"


def _upcoming(scope: dict[str, Any]) -> str:
    """Return how often the next thing wanted had been named as upcoming."""
    if not scope.get("wants"):
        return ""
    among = " and ".join(f"the first {words} in {scope[f'upcoming@{rank}']:.0%}" for words, rank in AMONG.items())
    return f"among {among} of {scope['wants']}"


def _redactions(counts: dict[str, int]) -> str:
    events = ", ".join(f"{rule} {count}" for rule, count in counts.items())
    return f"{events} (events dropped or changed; see `memo why --redacted`)" if events else ""


def _source(source: dict[str, Any]) -> str:
    failures = f" ({source['failures']} failures)" if source["failures"] else ""
    return ": ".join(filter(None, (f"{source['state']}{failures}", doing(source))))


def _scope(scope: dict[str, Any], is_own: bool) -> str:
    """Return the counts of a scope, with the hit rates that have no row of their own."""
    rates = []
    if is_own and scope["settled"]:
        rates = ["next event " + ", ".join(f"hit@{rank} {scope[f'hit@{rank}']:.0%}" for rank in RANKS)]
    elif not is_own and scope["acts"]:
        rates = [f"next place hit@1 {scope['place@1']:.0%}"]
    counts = [counted(scope["events"], "event"), counted(scope["predictions"], "prediction")]
    if scope["without_model"]:
        counts.append(f"{scope['without_model']} without the language model")
    return ", ".join([*counts, *rates, f"version {scope['version']}"])
