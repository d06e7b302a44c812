"""`python -m training`: carry out the queued runs at low priority, in a process of its own.

It gives way to the person: it ends at once, at whatever point, and the next process goes on from the last checkpoint.
"""

from contextlib import closing
from typing import Any

from db.engine import Store, open_store
from db.models import RunRow
from db.upkeep import jobs, runs
from memo.core import logs
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.machine import be_idle
from memo.stack.process_specs import end_with_parent
from training.build_version import TooFew
from training.give_way import giving_way
from training.limits import describe_limits, naming_the_bound, take_limits

log = logs.get_logger("training")


def main() -> None:
    """Carry out the queued runs one after the other and record their results; a run that fails ends no other."""
    end_with_parent()
    take_limits()
    be_idle()
    home = Home.find()
    logs.setup(home.logs, "training")
    log.info("limits", **describe_limits())
    settings = Settings.load()
    with closing(open_store(settings, home)) as store:
        with store.write() as session:  # one process trains at a time, and it is this one
            runs.record_interrupted_failed(session, "its process was killed, as when memory runs out")
        with giving_way(store, home, settings.schedule):
            while (run := _next(store)) is not None:
                _carry_out(store, home, settings, run)


def _next(store: Store) -> RunRow | None:
    with store.write() as session:
        return runs.record_next_start(session)


def _carry_out(store: Store, home: Home, settings: Settings, run: RunRow) -> None:
    state, result = _outcome(store, home, settings, run)
    with store.write() as session:
        runs.record_result(session, run.id, state, result, result.get("version"))
        jobs.record_run(session, runs.JOBS[run.kind], f"{run.scope}: {_sentence(result)}")
    log.info("run_ended", run=run.id, kind=run.kind, scope=run.scope, state=state)


def _outcome(store: Store, home: Home, settings: Settings, run: RunRow) -> tuple[str, dict[str, Any]]:
    from training import promote, review

    kind, scope, newest = run.kind, run.scope, run.result[runs.NEWEST]
    try:
        with naming_the_bound():
            if kind == runs.TRAIN:
                return "done", promote.train_and_promote(store, home, settings, scope, lambda _d, _t: None, newest)
            return "done", review.review(store, home, settings, scope)
    except TooFew as reason:
        return "done", {"note": str(reason)}
    except MemoError as error:
        log.error("run_failed", kind=kind, scope=scope, reason=str(error))
        return "failed", {"reason": str(error)}
    except Exception as error:  # no error may leave the row in the state `running`
        log.exception("run_failed", kind=kind, scope=scope)
        return "failed", {"reason": f"{type(error).__name__}: {error}; see training.log."}


def _sentence(result: dict[str, Any]) -> str:
    """Return the result of a run in a few words."""
    if "promoted" in result:
        return f"{result['version']}: {result['reason']}"
    if reason := result.get("reason") or result.get("note") or result.get("changed"):
        return str(reason)
    return f"{result['version']} hit@1 {result['hit@1']:.3f} over {result['n']} questions"


if __name__ == "__main__":
    main()
