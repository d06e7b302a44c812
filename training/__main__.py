"""`python -m training RUN_ID`: carry out a queued run, at low priority, in a process of its own."""

import os
import sys
from typing import Any

from db import jobs, runs
from db.engine import Store, open_store
from memo import logs
from memo.errors import MemoError
from memo.paths import Home
from memo.settings import Settings
from training.make import TooFew

NICENESS = 10
JOBS = {"train": "retrain", "evaluate": "evaluate"}
"""Kind of a run -> the job that `memo status` shows."""

log = logs.get("training")


def main(run_id: int) -> int:
    """Carry out a run; the exit status. Its end and its reason stand in its row."""
    os.nice(NICENESS)
    home = Home.find()
    logs.setup(home.logs, "training")
    settings = Settings.load()
    store = open_store(settings, home)
    try:
        with store.write() as session:
            run = runs.start(session, run_id)
        state, result = _outcome(store, home, settings, run.kind, run.scope)
        with store.write() as session:
            runs.finish(session, run_id, state, result, result.get("version"))
            jobs.ran(session, JOBS[run.kind], f"{run.scope}: {_sentence(result)}")
    finally:
        store.close()
    log.info("the run ended", run=run_id, kind=run.kind, scope=run.scope, state=state)
    return 0 if state == "done" else 1


def _outcome(store: Store, home: Home, settings: Settings, kind: str, scope: str) -> tuple[str, dict[str, Any]]:
    from training import promote

    try:
        if kind == "train":
            return "done", promote.train_and_promote(store, home, settings, scope, lambda _done, _total: None)
        return "done", promote.evaluate_active(store, settings, scope)
    except TooFew as reason:
        return "done", {"note": str(reason)}
    except MemoError as error:
        log.error("the run failed", kind=kind, scope=scope, reason=str(error))
        return "failed", {"reason": str(error)}
    except Exception as error:  # whatever it was, the run's row must not say `running` for ever
        log.exception("the run failed", kind=kind, scope=scope)
        return "failed", {"reason": f"{type(error).__name__}: {error}; see training.log."}


def _sentence(result: dict[str, Any]) -> str:
    """What came of a run, in a few words."""
    if said := result.get("reason") or result.get("note"):
        return str(said)
    if "promoted" in result:
        return f"{result['version']} {'promoted' if result['promoted'] else 'rejected'}"
    return f"{result['version']} hit@1 {result['hit@1']:.3f} over {result['n']} windows"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
