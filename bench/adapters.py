"""Memory of one worker that serves many scopes, each under a version of its own, and the time of an update.

python bench/adapters.py
"""

import multiprocessing
import shutil
import threading
import time
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import psutil
from _stack import Report, invented, new_home, p50_p99, store

from db.engine import Store
from db.intake import events, scopes
from db.prediction import versions
from memo.core import logs
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.messaging.publisher import Publisher
from memo.stack.process_specs import give_back_memory
from memo.stack.task_queue import make_app
from memo.store import manifest
from worker.prediction.scope_models import HELD, READING
from worker.prediction.update import ScopeUpdater
from worker.predictors.language_model.language import ADAPTER_WEIGHTS
from worker.predictors.serving import BUILTIN, BUILTIN_ADAPTER, Serving
from worker.resources import Resources

SCOPES = (1, 10, 100)
EVENTS = 300  # of each scope, before its first prediction
ROUNDS = 3  # updates of each scope after the first, one event each, in turn
NOBODY = "redis://127.0.0.1:1/0"  # nobody listens: messages are not measured


class Served(NamedTuple):
    """What a worker that served some scopes took."""

    base: int  # bytes of memory with the base model, before any scope
    memory: int  # bytes after the last update
    threads: int
    times: list[float]  # seconds of each update after the first of its scope


def memory() -> int:
    """Return the bytes of memory of this process that no other one shares."""
    return int(psutil.Process().memory_full_info().uss)


def load_adapters(numbers: tuple[int, ...], answer: Connection) -> None:
    """Send the bytes of memory without a base model, with one, and with each of these numbers of adapters."""
    serving = Serving(Settings.load().model)
    found = [memory()]
    serving.load()
    found.append(memory())
    for begin, end in zip((0, *numbers), numbers, strict=False):
        for nth in range(begin, end):
            serving.reader(f"v{nth:04}", BUILTIN_ADAPTER)
        found.append(memory())
    answer.send(found)


def fill(opened: Store, home: Home, number: int) -> list[str]:
    """Make scopes, each with events and an active version; return their names."""
    given, names = invented(EVENTS + ROUNDS), [f"person{nth}@host" for nth in range(number)]
    for nth, scope in enumerate(names):
        version = f"v{nth:04}"
        shutil.copytree(BUILTIN_ADAPTER, home.models / version)
        with opened.write() as session:
            scopes.lock_scope(session, scope)
            content = manifest.read(home.models / version)["content"]
            path, metrics = f"{home.models.name}/{version}", {"content": content}
            versions.add_version(session, version, scope, base=BUILTIN, path=path, parent=None, metrics=metrics)
            versions.record_active(session, scope, version)
            events.add_events(session, scope, given[:EVENTS], [f"key {n}" for n in range(EVENTS)])
    return names


def serve(number: int, answer: Connection) -> None:
    """Serve scopes in turn, and send what that took."""
    give_back_memory()  # as the worker does
    with new_home() as home, store(home) as opened:
        logs.setup(home.logs, "worker")
        names, given, times = fill(opened, home, number), invented(EVENTS + ROUNDS), list[float]()
        settings = Settings.load()
        updater = ScopeUpdater(Resources(home, settings, opened, Publisher(NOBODY), make_app(NOBODY)))
        updater.warm_up()
        base = memory()
        for scope in names:
            updater.update(scope)
        for nth in range(EVENTS, EVENTS + ROUNDS):
            for scope in names:
                with opened.write() as session:
                    events.add_events(session, scope, [given[nth]], [f"key {nth}"])
                began = time.perf_counter()
                updater.update(scope)
                times.append(time.perf_counter() - began)
        assert set(updater.models.serving.load().versions) - {BUILTIN} == {
            one.version for one in updater.models.held.values() if not one.rests
        }
        answer.send(Served(base, memory(), threading.active_count(), times))


def in_new_process(work: "partial[None]") -> Any:
    """Return what a function sends from a process of its own, whose memory nothing else has used."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=work, args=(sender,))
    process.start()
    sender.close()
    found = receiver.recv()
    process.join()
    return found


def main() -> None:
    """Print the table."""
    report = Report(f"One worker, {' / '.join(map(str, SCOPES))} scopes, each under a version of its own")
    before, base, *loaded = in_new_process(partial(load_adapters, SCOPES))
    file = (BUILTIN_ADAPTER / ADAPTER_WEIGHTS).stat().st_size
    report.add("the base model, loaded once", f"{(base - before) / 1e6:.1f} MB")
    grown = " / ".join(f"{(one - base) / 1e6:.1f}" for one in loaded)
    report.add(f"{' / '.join(map(str, SCOPES))} adapters more in memory", f"{grown} MB")
    each = (loaded[-1] - loaded[0]) / (SCOPES[-1] - SCOPES[0])
    report.add("each adapter in memory, in its file", f"{each / 1e6:.2f} MB, {file / 1e6:.2f} MB", "≤ 2 × its file")
    served = [in_new_process(partial(serve, number)) for number in SCOPES]
    report.add("the worker with the base model, before any scope", f"{served[0].base / 1e6:.0f} MB")
    grown = " / ".join(f"{(one.memory - one.base) / 1e6:.0f}" for one in served)
    report.add(f"more after serving them: at most {HELD} models stay, {READING} of them with a context", f"{grown} MB")
    report.add("threads", " / ".join(str(one.threads) for one in served))
    for number, one in zip(SCOPES, served, strict=True):
        kept = (
            "in memory" if number <= READING else "each reads again" if number <= HELD else "each comes from the disk"
        )
        report.add(f"one update, p50 / p99, scopes in turn: {number}, {kept}", p50_p99(one.times))
    report.show()


if __name__ == "__main__":
    main()
