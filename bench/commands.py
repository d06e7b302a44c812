"""The duration of commands that a person waits for, with the stack running and 10,000 events stored.

python bench/commands.py
"""

from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

from _stack import Report, invented, median, memo, new_home, seconds, store, up, write_lines

from db.intake import events
from db.intake.events import LogEntry
from db.models import PredictionRow
from memo.core.paths import Home
from memo.core.predictions import action_as_dict
from memo.core.settings import Settings
from worker.prediction.scope_model import RANKED, ScopeModel
from worker.predictors.mixed import MixedPredictor

NUMBER = 10_000  # events and predictions
ROUNDS = 10
COMMANDS = ("status", "history", "--help")


def fill(home: Home) -> None:
    """Store the events, and a prediction after each, made without the language model."""
    file = home.root / "lines.txt"
    write_lines(file, invented(NUMBER))
    memo("import", str(file))
    scope = Settings.load().scope
    stream = ScopeModel(scope, "builtin", 0, MixedPredictor(), 5)
    with store(home) as opened, opened.write() as session:
        rows = events.find_after(session, scope, 0, NUMBER)
        stream.learn(rows[0], NUMBER - RANKED)
        for row, truth in pairwise(rows):
            session.add(settle(stream.predict(row, 10, "en", lambda action: False), truth))
            stream.learn(truth, NUMBER - RANKED)
        session.add(stream.predict(rows[-1], 10, "en", lambda action: False))


def settle(row: PredictionRow, truth: LogEntry) -> PredictionRow:
    """Return the prediction with its outcome, marked as published and dispatched."""
    action = action_as_dict(events.as_event(truth).action)
    ranked = [candidate["action"] for candidate in row.candidates]
    row.outcome_event_id, row.outcome_operation, row.outcome_target = truth.id, truth.operation, truth.target
    row.outcome_rank = ranked.index(action) + 1 if action in ranked else None
    row.published_at = row.dispatched_at = datetime.now(UTC)
    return row


def main() -> None:
    """Print the table."""
    report = Report(f"Commands, with {NUMBER:,} events and predictions")
    with new_home() as home:
        fill(home)
        with up():
            for words in COMMANDS:
                times = [seconds(partial(memo, words)) for _ in range(ROUNDS)]
                report.add(f"`memo {words}`, median of {ROUNDS}", f"{median(times):.2f} s", "≤ 0.5 s")
    report.show()


if __name__ == "__main__":
    main()
