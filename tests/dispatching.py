"""A store with predictions to act on, and handlers that are truly installed: here and in their own processes."""

import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from sqlalchemy import select
from stores import make_store, store_events

from db.engine import open_store
from db.models import DispatchRow, EventRow, PredictionRow
from memo.core.events import ACTIONS, Event, Operation
from memo.core.paths import Home
from memo.core.settings import DispatchSettings, Settings
from memo.desktop.machine import Machine
from memo.messaging.publisher import Publisher
from memo.stack.task_queue import make_app
from worker.dispatch.dispatcher import Dispatcher
from worker.dispatch.handler_queue import IDLE_S
from worker.resources import Resources

SCOPE = "ada@host"
NOBODY = "redis://127.0.0.1:1/0"


class Still(Machine):
    """A machine on mains, with nothing to do and nothing on its screen, unless a test says so."""

    def __init__(self, charge: float | None = None, load: float = 0.0, full: bool = False, **stalls: float) -> None:
        self.charge, self.loaded, self.full, self.stalls = charge, load, full, stalls

    def battery(self) -> float | None:
        return self.charge

    def stalled(self, resource: str) -> float | None:
        return self.stalls.get(resource)

    def load(self) -> float:
        return self.loaded

    def full_screen(self) -> bool:
        return self.full


@contextmanager
def opened_store(database_url: str, home: Home, **settings: Any) -> Iterator[Resources]:
    """A context on a fresh store; its broker is away."""
    given = Settings(database_url=database_url, broker_url=NOBODY, scope=SCOPE, **settings)
    make_store(given, home)
    context = Resources(home, given, open_store(given, home), Publisher(NOBODY), make_app(NOBODY))
    yield context
    context.queue.close()
    context.store.close()


def under(opened: Resources, *route: str, **given: Any) -> Resources:
    """Return settings with these handlers on, for each operation that comes next, and these settings of the gates."""
    routes = {operation: list(route) for operation in ACTIONS}
    changed: dict[str, Any] = {"routes": routes, "upcoming": {}, "on": list(route), "minimum_probability": 0.5} | given
    settings = opened.settings.model_copy(update={"dispatch": DispatchSettings(**changed)})
    return replace(opened, settings=settings)


@contextmanager
def dispatching(
    opened: Resources,
    machine: Machine | None = None,
    idle_s: float = IDLE_S,
    back_off_s: tuple[float, float] = (0.0, 60.0),
) -> Iterator[Dispatcher]:
    """A dispatcher whose processes end with the test."""
    dispatcher = Dispatcher(opened, machine or Still(), idle_s=idle_s, back_off_s=back_off_s)
    try:
        yield dispatcher
    finally:
        dispatcher.close()


def dispatch(opened: Resources, prediction: int, machine: Machine | None = None) -> None:
    """Dispatch a prediction, and wait until all is done."""
    with dispatching(opened, machine) as dispatcher:
        dispatcher.dispatch(prediction)


def happen(opened: Resources, *targets: str, scope: str = SCOPE, operation: Operation = Operation.WEB_VISIT) -> None:
    """Let events happen now."""
    with opened.store.write() as session:
        for target in targets:
            store_events(session, scope, [Event(datetime.now(UTC), operation, target)])


def action(target: str, **given: Any) -> dict[str, Any]:
    """Return the action of visiting a site, or of another operation."""
    return {"operation": "web_visit", "target": target, "place": ""} | given


def predict(
    opened: Resources,
    target: str = "a",
    probability: float = 0.9,
    scope: str = SCOPE,
    upcoming: Sequence[tuple[str, float]] = (),
    made_at: datetime | None = None,
    **given: Any,
) -> int:
    """Store a prediction of a person's action, made now after an event now; its id.

    `upcoming` are apps that start, and their probabilities.
    """
    happen(opened, "before", scope=scope, operation=Operation.PROCESS_END)
    now = made_at or datetime.now(UTC)
    entry = {"text": "2026-03-02 09:00:07 - Visited site", "executable": "/usr/bin/a"}
    noise = entry | {"probability": 0.99, "action": action("noise"), "expected_at": now.isoformat()}
    does = [entry | {"probability": p, "action": action(target, **given)} for p in (probability, 0.01)]
    starts = [(action(app, operation="process_start"), likely) for app, likely in upcoming]
    soon = [{"text": "", "probability": likely, "action": start, "within_s": 600} for start, likely in starts]
    with opened.store.write() as session:
        row = PredictionRow(
            scope=scope,
            made_at=now,
            last_event_id=session.scalars(select(EventRow.id).order_by(EventRow.id.desc())).first(),
            model_version="builtin",
            candidates=[noise],
            upcoming=soon,
            new_probability=0.05,
            places=[],
            new_place=1.0,
            person=does,
            latency_ms=1.0,
        )
        session.add(row)
        session.flush()
        return row.id


def rows(opened: Resources, prediction: int | None = None) -> list[DispatchRow]:
    """All dispatches, or those of one prediction, in order."""
    with opened.store.read() as session:
        found = list(session.scalars(select(DispatchRow).order_by(DispatchRow.id)))
    return [row for row in found if prediction is None or row.prediction_id == prediction]


def went(opened: Resources, prediction: int | None = None) -> list[tuple[str, str]]:
    """Handler and status of each."""
    return [(row.handler, row.status) for row in rows(opened, prediction)]


def stopped_by(opened: Resources, prediction: int) -> str:
    """What stopped its one handler."""
    [row] = rows(opened, prediction)
    assert row.status == "stopped"
    return row.detail


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, code: str, **classes: str) -> None:
    """Install handlers, by their names: a module and its entry points, for this process and those that it starts."""
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    points = "".join(f"{name} = {module}:{made}\n" for name, made in classes.items())
    (info / "entry_points.txt").write_text(f"[memo.handlers]\n{points}")
    reach(folder, monkeypatch)


def reach(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process, and the isolated processes that it starts, import from a folder.

    Such processes ignore PYTHONPATH, so they get an environment of their own, in which the folder is installed.
    """
    monkeypatch.syspath_prepend(str(folder))
    environment = folder / "environment"
    if not environment.exists():
        venv.create(environment, symlinks=True)
        packages_of_this = [entry for entry in sys.path if entry.endswith("site-packages")]
        packages = next(environment.glob("lib/*/site-packages"))
        (packages / "installed.pth").write_text("\n".join([str(folder), *packages_of_this, str(ROOT)]))
    monkeypatch.setattr(sys, "executable", str(environment / "bin/python"))
    for name in [name for name in sys.modules if (folder / f"{name}.py").exists()]:
        del sys.modules[name]
