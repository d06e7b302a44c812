"""`memo status`: what runs, what is stored, how good it is."""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer

from cli.stack.sources import doing
from cli.terminal.store_access import read_session
from cli.terminal.text import safe
from data.importers import rejects
from memo.core import pauses
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running
from memo.stack.broker import broker_url, redact_url


def status(as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False) -> None:
    """Show each part, the queues, what is stored, and how often predictions came true."""
    with _unswept():
        found = collect(Home.find(), Settings.load())
        if as_json:
            print(json.dumps(found))
        else:
            _show(found)


@contextmanager
def _unswept() -> Iterator[None]:
    """No search for garbage, at exit neither: among the libraries that load here it takes a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def collect(home: Home, settings: Settings) -> dict[str, Any]:
    """All there is to say, as JSON. What is stored is null where there is no store yet or none that can be read."""
    from db.engine import redacted_store_url

    state, url, pause = running.state(home), broker_url(home, settings), pauses.current(home)
    return {
        "running": bool(state),
        "pid": state.get("pid"),
        "paused": pause is not None,
        "paused_until": pause.until.astimezone(settings.zone).isoformat() if pause and pause.ends else None,
        "parts": [part | {"memory_mb": _memory_mb(part["pid"])} for part in state.get("parts", [])],
        "sources": running.sources(home),
        "passing": state.get("passing", []),
        "queues": _queues(url) if state else None,
        "home": str(home.root),
        "inbox": str(home.inbox),
        "rejects": str(home.rejects),
        "rejected": rejects.count(home.rejects),
        "store": redacted_store_url(settings, home),
        "broker": redact_url(url),
        "scope": settings.scope,
        **_figures(home, settings),
    }


def _figures(home: Home, settings: Settings) -> dict[str, Any]:
    from db.upkeep import figures

    try:
        with read_session(settings, home) as session:
            return figures.find_figures(session, settings.scope) if session else {"events": 0, "predictions": 0}
    except MemoError as error:
        return {"events": None, "predictions": None, "problem": str(error)}


def _queues(url: str) -> dict[str, int] | None:
    from memo.stack.task_queue import lengths

    with suppress(Exception):  # a broker that is away has no queues, and each client library its own errors
        return lengths(url)
    return None


def _memory_mb(pid: int | None) -> float | None:
    """Proportional set size of a part and its children."""
    import psutil

    with suppress(psutil.Error, TypeError):
        part = psutil.Process(pid)
        found = sum(one.memory_full_info().pss for one in (part, *part.children(recursive=True)))
        return round(found / 1e6, 1)
    return None


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    head = f"MEMO runs (process {found['pid']})" if found["running"] else "MEMO does not run; `memo up` starts it"
    console.print(Text(f"{head}{_paused(found)}.", "bold"))
    if found["parts"]:
        table = Table("part", "state", "process", "memory", "restarts", box=None, header_style="dim")
        for part in found["parts"]:
            memory = f"{part['memory_mb']:.0f} MB" if part["memory_mb"] else ""
            style = "red" if part["state"] == "failed" else ""
            table.add_row(
                part["name"], part["state"], str(part["pid"] or ""), memory, str(part["restarts"]), style=style
            )
        console.print(table)
    console.print(_facts(found))


def _paused(found: dict[str, Any]) -> str:
    if not found["paused"]:
        return ""
    until = found["paused_until"]
    return f", paused until {until[:19].replace('T', ' ')}" if until else ", paused until `memo resume`"


def _facts(found: dict[str, Any]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _said(found):
        table.add_row(Text(safe(name), "dim"), Text(safe(value)))
    return table


def _said(found: dict[str, Any]) -> list[tuple[str, str]]:
    from db.upkeep.jobs import NOT_YET

    queues = ", ".join(f"{name} {length}" for name, length in (found["queues"] or {}).items())
    jobs = found.get("jobs", [])
    waiting = [job["name"] for job in jobs if job["last_result"] == NOT_YET]
    training, scopes = found.get("last_training"), found.get("scopes", {})
    absent = sorted(name for name, one in found["sources"].items() if one["state"] == "missing")
    rows = [
        *((f"source {name}", _source(one)) for name, one in found["sources"].items() if name not in absent),
        ("sources missing", f"{', '.join(absent)}; `memo sources` says what they need" if absent else ""),
        *((f"handler {one['handler']}", _resting(one)) for one in found.get("resting", [])),
        ("events", str(found["events"])),
        ("predictions", str(found["predictions"])),
        *((name, _scope(one, (1, 3, 5) if name == found["scope"] else (1,))) for name, one in scopes.items()),
        ("kept out or changed", _kept_out(found.get("private", {}))),
        ("queues", queues),
        ("training", f"{training['state']} for {training['scope']}" if training else ""),
        *((job["name"], f"{job['last_run'][:19]}: {job['last_result']}") for job in jobs if job["name"] not in waiting),
        ("not run yet", ", ".join(waiting)),
        ("problem", found.get("problem", "")),
        ("rejected lines", f"{found['rejected']}; {found['rejects']} says why" if found["rejected"] else ""),
        ("inbox", found["inbox"]),
        ("store", found["store"]),
        ("broker", found["broker"]),
    ]
    return [(name, value) for name, value in rows if value]


def _kept_out(counts: dict[str, int]) -> str:
    said = ", ".join(f"{rule} {events}" for rule, events in counts.items())
    return f"{said} (events; `memo why --redacted`)" if said else ""


def _source(one: dict[str, Any]) -> str:
    failures = f" ({one['failures']} failures)" if one["failures"] else ""
    says = doing(one)
    return f"{one['state']}{failures}{': ' if says else ''}{says}"


def _resting(one: dict[str, Any]) -> str:
    return f"turned itself off until {one['until'][:19].replace('T', ' ')} UTC: {one['reason']}"


def _scope(one: dict[str, Any], cuts: tuple[int, ...]) -> str:
    rates = [f"hit@{k} {one[f'hit@{k}']:.0%}" for k in cuts if one["settled"]]
    counts = [f"{one['events']} events", f"{one['predictions']} predictions"]
    if one["without_model"]:
        counts.append(f"{one['without_model']} without the language model")
    return ", ".join([*counts, *rates, f"version {one['version']}"])
