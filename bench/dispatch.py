"""The cost of dispatching besides the handlers' own work, also while one handler is stuck.

    python bench/dispatch.py [NUMBER]

A dispatcher handles NUMBER predictions in a store of its own, without a broker. Each prediction has 10 actions of the
person and 200 upcoming ones, one of which is likely. The handlers are `log` and `record`; in a second run also
`webhook`, which posts to a server that does not answer.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from _stack import Report, new_home, p50_p99, seconds, store
from sqlalchemy import select

from db import migrate
from db.dispatch.dispatches import DONE
from db.engine import Store
from db.intake import events
from db.models import DispatchRow, EventRow, PredictionRow
from memo.core import logs
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import DispatchSettings, Settings
from memo.messaging.publisher import Publisher
from memo.stack.task_queue import make_app
from worker.dispatch.dispatcher import Dispatcher
from worker.resources import Resources

NUMBER = 1_000
ACTIONS = 10
UPCOMING = 200
NOBODY = "redis://127.0.0.1:1/0"


def fill(opened: Store, scope: str, number: int) -> list[int]:
    """Store predictions made now, and return their ids."""
    now = datetime.now(UTC)
    with opened.write() as session:
        events.add_events(session, scope, [Event(now, Operation.PROCESS_START, "before")], ["key"])
        last = session.scalars(select(EventRow.id).order_by(EventRow.id.desc())).first()
        rows = [_prediction(scope, last, nth, now) for nth in range(number)]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def _prediction(scope: str, event: int | None, nth: int, now: datetime) -> PredictionRow:
    def entry(operation: Operation, name: str, probability: float) -> dict[str, object]:
        action = {"operation": operation.value, "target": name, "place": ""}
        return {"text": name, "probability": probability, "action": action, "executable": ""}

    return PredictionRow(
        scope=scope,
        made_at=now,
        last_event_id=event,
        model_version=f"bench {nth}",
        candidates=[],
        person=[entry(Operation.WEB_VISIT, f"{nth}.{rank}", 0.01 if rank else 0.9) for rank in range(ACTIONS)],
        upcoming=[entry(Operation.PROCESS_START, f"soon {rank}", 0.1 if rank else 0.9) for rank in range(UPCOMING)],
        new_probability=0.0,
        latency_ms=1.0,
    )


class Stuck(BaseHTTPRequestHandler):
    """Answers once `go_on` is set."""

    go_on = threading.Event()

    def do_POST(self) -> None:
        """Wait, then accept the request."""
        self.go_on.wait()
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def stuck_server() -> Iterator[str]:
    """Provide the address of a server that does not answer."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Stuck) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def burst(home: Home, number: int, webhook: str) -> tuple[list[float], list[float], float]:
    """Dispatch predictions; return the seconds of each without the handlers' own work, those with it, and their sum."""
    route = ["log", "record", *["webhook"] * bool(webhook)]
    given: dict[str, Any] = {
        "on": route,
        "routes": {Operation.WEB_VISIT: route},
        "upcoming": {Operation.PROCESS_START: ["preload_app"]},
        "budget_per_hour": 10**6,
    }
    if webhook:  # the handler's process reads its settings from the environment
        os.environ |= {"MEMO_WEBHOOK__URL": webhook, "MEMO_WEBHOOK__SECRET": "of no importance"}
    settings = Settings(dispatch=DispatchSettings(**given), broker_url=NOBODY)
    migrate.upgrade(settings, home)
    with store(home) as opened:
        dispatcher = Dispatcher(Resources(home, settings, opened, Publisher(NOBODY), make_app(NOBODY)))
        ids = fill(opened, settings.scope, number)
        began = time.perf_counter()
        times = {one: seconds(partial(dispatcher.dispatch, one)) for one in ids}
        whole = time.perf_counter() - began
        own = own_work(opened, ids)
        Stuck.go_on.set()
        dispatcher.close()
    return [times[one] - own[one] for one in ids], list(times.values()), whole


def own_work(opened: Store, ids: Sequence[int]) -> dict[int, float]:
    """Return the seconds that the quick handlers themselves took, by prediction."""
    spent = dict.fromkeys(ids, 0.0)
    query = select(DispatchRow).where(DispatchRow.handler.in_(("log", "record")))
    with opened.read() as session:
        for row in session.scalars(query):
            assert row.status == DONE, f"{row.handler} {row.status}: {row.detail}"
            spent[row.prediction_id] += (row.duration_ms or 0.0) / 1e3
    return spent


def main() -> None:
    """Print the table."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER
    report = Report(f"Dispatch: {number:,} predictions in a burst")
    with new_home() as home:
        logs.setup(home.logs, "bench")
        own_cost, in_all, whole = burst(home, number, "")
        Stuck.go_on.clear()
    with new_home() as home, stuck_server() as url:
        logs.setup(home.logs, "bench")
        own_cost_stuck, in_all_stuck, whole_stuck = burst(home, number, url)
    report.add("one prediction without the handlers' own work, p50 / p99", p50_p99(own_cost), "p99 ≤ 10 ms")
    report.add("the same with a stuck webhook", p50_p99(own_cost_stuck), "p99 ≤ 10 ms")
    report.add("one prediction in all, p50 / p99", p50_p99(in_all))
    report.add("the same with a stuck webhook", p50_p99(in_all_stuck), "no slower")
    report.add("all predictions", f"{whole:.2f} s; with a stuck webhook {whole_stuck:.2f} s")
    report.show()


if __name__ == "__main__":
    main()
