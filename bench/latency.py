"""The delay from an event line in the inbox to the message that a subscriber receives, at about one event a second.

    python bench/latency.py [NUMBER]

The store holds 10,000 events before the first of NUMBER lines. The parts of the delay come from the columns
`stored_at` (of the event) and `made_at` (of the prediction). Then the same is measured beside a training.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from _stack import Report, invented, memo, new_home, p50_p99, share, store, up, write_lines
from sqlalchemy import select

from db.models import EventRow, PredictionRow
from memo.client import subscribe
from memo.core.events import Event
from memo.core.grammar import write
from memo.core.paths import Home

NUMBER = 120  # measured events
HISTORY = 10_000  # events stored before
WARM_UP = 10  # events that are not measured
STARTS_S = 10.0  # in which the training process imports its libraries
LAST_S = 3.0  # wait for the message of the last line
Received = dict[int, tuple[float, dict[str, Any]]]


@contextmanager
def listening() -> Iterator[Received]:
    """Collect messages by prediction id, each with the time of its arrival."""
    received: Received = {}
    stop = threading.Event()
    messages = subscribe(stop=stop)

    def listen() -> None:
        for message in messages:
            received[message["id"]] = (time.time(), message)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield received
    finally:
        stop.set()
        listener.join()


def send(inbox: Path, given: list[Event]) -> dict[datetime, float]:
    """Append each event in a second of its own, and return when each was appended, by the event's time."""
    rng, sent = random.Random(0), {}
    with (inbox / "now.txt").open("a", encoding="utf-8") as file:
        for event in given:
            time.sleep(1 - time.time() % 1 + rng.uniform(0.1, 0.9))
            at = datetime.now().astimezone().replace(microsecond=0)
            line = write(replace(event, at=at), "en")
            sent[at] = time.time()
            file.write(f"{line}\n")
            file.flush()
    return sent


def rows(home: Home) -> list[tuple[EventRow, PredictionRow]]:
    """Return each event that has a prediction, with the prediction."""
    query = select(EventRow, PredictionRow).join(PredictionRow, PredictionRow.last_event_id == EventRow.id)
    with store(home) as opened, opened.read() as session:
        return [(event, prediction) for event, prediction in session.execute(query)]


def add_rows(report: Report, sent: dict[datetime, float], received: Received, home: Home) -> list[float]:
    """Add the delays and their parts, which are consecutive, to the table; return the delays in seconds."""
    whole, stored, predicted, carried, model = [], [], [], [], []
    for event, prediction in rows(home):
        if event.at in sent and prediction.id in received:
            came, began = received[prediction.id][0], sent[event.at]
            kept, made = event.stored_at.timestamp(), prediction.made_at.timestamp()
            whole.append(came - began)
            stored.append(kept - began)
            predicted.append(made - kept)
            carried.append(came - made)
            model.append(prediction.latency_ms / 1e3)
    report.add("messages received", f"{len(whole)} of {len(sent)}")
    report.add("line appended → message received, p50 / p99", p50_p99(whole), "≤ 100 / 300 ms")
    report.add("the same, p90 / maximum", f"{share(whole, 0.9) * 1e3:.1f} / {max(whole) * 1e3:.1f} ms")
    report.add("part: line → row in its transaction", p50_p99(stored))
    report.add("part: row → prediction made", p50_p99(predicted))
    report.add("within it: the predictor, language model included", p50_p99(model))
    report.add("part: prediction made → message received", p50_p99(carried))
    return whole


def train() -> None:
    """Have the stack train, and return once it does."""
    memo("train", "--now")
    while json.loads(memo("status", "--json"))["last_training"]["state"] != "running":
        time.sleep(1)
    time.sleep(STARTS_S)


def main() -> None:
    """Print the table."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER
    report = Report(f"Latency: {number} events, one a second, after {HISTORY:,} of history")
    with new_home() as home:
        given = invented(HISTORY + WARM_UP + 2 * number)
        write_lines(home.root / "history.txt", given[:HISTORY])
        memo("import", str(home.root / "history.txt"))
        with up(), listening() as received:
            send(home.inbox, given[HISTORY : HISTORY + WARM_UP])
            sent = send(home.inbox, given[HISTORY + WARM_UP : -number])
            time.sleep(LAST_S)
            alone = add_rows(report, sent, received, home)
            train()
            sent = send(home.inbox, given[-number:])
            time.sleep(LAST_S)
        report.add("**beside a training**", "")
        beside = add_rows(report, sent, received, home)
    report.add("p99 beside a training, times that without", f"{share(beside, 0.99) / share(alone, 0.99):.1f}", "≤ 2")
    report.show()


if __name__ == "__main__":
    main()
