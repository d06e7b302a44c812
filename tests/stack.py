"""The real stack, for tests: a home of its own, the command `memo` in it, and what can be seen from outside."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import forked
import psutil
import psycopg
from homes import new_home
from waiting import WAIT_S, until

from memo.core.paths import Home
from memo.stack import running

MEMO = Path(sys.executable).parent / "memo"
SCOPE = "ada@host"
ENTRY = "[Desktop Entry]\nType=Application\nName={name}\nExec={program}\nStartupWMClass={window_class}\n"
SUBSCRIBER = """
import json
from memo.client import subscribe
messages = subscribe()
print("ready", flush=True)
for message in messages:
    print(json.dumps(message), flush=True)
"""
"""A program of a user's."""


def lines(count: int, start: str, app: str = "App{}") -> list[str]:
    """Lines of a small round of apps, a minute apart."""
    at = datetime.fromisoformat(start)
    return [f"{at + timedelta(minutes=n)} - Started app: {app.format(n % 7)}" for n in range(count)]


@dataclass
class Stack:
    """One home. What is started is ended by `end`."""

    home: Home
    settings: dict[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user, whose only settings of MEMO are those of the test."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("MEMO_")}
        return others | {
            "MEMO_HOME": str(self.home.root),
            "MEMO_SCOPE": SCOPE,
            "MEMO_SOURCES__ON": '["inbox"]',
            **self.settings,
        }

    def memo(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; the limit is that of the test, as a training takes long on a busy machine."""
        cwd, environment = self.cwd or Path.cwd(), self.environment
        if "LD_PRELOAD" in self.settings:  # only a new interpreter loads it
            return subprocess.run([MEMO, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        return forked.run(words, environment, cwd)

    def ok(self, *words: str) -> str:
        """Run a command that has to succeed; return what it says."""
        done = self.memo(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr, self.last_words())
        return done.stdout

    def start(self, *words: str | Path, output: IO[str] | None = None) -> subprocess.Popen[str]:
        """Start a command; its output is a pipe unless a file is given."""
        process = subprocess.Popen(
            words, env=self.environment, stdout=output or subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._started.append(process)
        return process

    def run(self) -> None:
        """Start it unless it runs, and wait for all parts."""
        if running.holder(self.home) is None:
            self.ok("up")
        until("all parts run", lambda: {part["state"] for part in running.state(self.home)["parts"]} == {"running"})

    def status(self) -> dict[str, Any]:
        """`memo status --json`."""
        found: dict[str, Any] = json.loads(self.ok("status", "--json"))
        return found

    def part(self, name: str) -> dict[str, Any]:
        """A part, as the supervisor has it."""
        found: dict[str, Any] = next(part for part in running.state(self.home)["parts"] if part["name"] == name)
        return found

    def append(self, new: Sequence[str], file: str = "events.txt") -> None:
        """Append lines to a file of the inbox, in one go."""
        with (self.home.inbox / file).open("a", encoding="utf-8") as inbox:
            inbox.write("".join(f"{line}\n" for line in new))

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Rows, by the database's own driver."""
        url = self.settings.get("MEMO_DATABASE_URL", "")
        if url:
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                return connection.execute(query.encode()).fetchall()
        with closing(sqlite3.connect(self.home.root / "memo.db", timeout=WAIT_S)) as store:
            return store.execute(query).fetchall()

    def one(self, query: str) -> Any:
        """Return the first cell of the answer."""
        return self.sql(query)[0][0]

    def until_predicted(self, scope: str = SCOPE) -> None:
        """Wait for a prediction after the newest event of a scope, and for its message to be sent."""
        query = f"""
            SELECT count(*) FROM predictions JOIN scopes ON scopes.name = predictions.scope
            JOIN events ON events.id = predictions.last_event_id
            WHERE scopes.name = '{scope}' AND seq = last_seq AND published_at IS NOT NULL"""
        until(f"a prediction for the newest event of {scope}", lambda: self.one(query))

    def until_stored(self, count: int) -> None:
        """Wait until this many events are stored."""
        until(f"{count} events", lambda: self.one("SELECT count(*) FROM events") >= count)

    def predict(self, new: Sequence[str]) -> None:
        """Append lines and wait for the prediction after the last of them."""
        before = self.one("SELECT count(*) FROM events")
        self.append(new)
        self.until_stored(before + len(new))
        self.until_predicted()

    @contextmanager
    def subscriber(self) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """A program that listens; gives what it has received so far."""
        path = self.home.root / "received.jsonl"
        with path.open("w") as output:
            process = self.start(sys.executable, "-c", SUBSCRIBER, output=output)

        def received() -> list[dict[str, Any]]:
            whole = path.read_text(encoding="utf-8").split("\n")[1:-1]
            return [json.loads(line) for line in whole]

        until("the subscriber is ready", lambda: path.read_text(encoding="utf-8").startswith("ready\n"))
        yield received
        process.terminate()
        process.wait()

    def processes(self) -> list[psutil.Process]:
        """Return all processes of this home, by their environment or, if a server overwrote that, by their title."""
        root = str(self.home.root)
        ours = {process.pid for process in self._started}
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                mine = process.environ().get("MEMO_HOME") == root or any(f"{root}/" in w for w in process.cmdline())
                if mine and process.pid not in ours:
                    found.append(process)
        return found

    def until_gone(self) -> None:
        """Wait for the last process to end."""
        until("no process is left", lambda: not self.processes())

    def contents(self) -> dict[Path, bytes]:
        """What each file holds, apart from the owner's inbox; without those removed meanwhile, as unfinished ones."""
        found = {}
        for path in self.home.root.rglob("*"):
            with suppress(FileNotFoundError):
                if path.is_file() and self.home.inbox not in path.parents:
                    found[path] = path.read_bytes()
        return found

    def leftovers(self) -> list[str]:
        """Processes, sockets and locks that a stopped stack may not leave."""
        files = [str(path) for path in self.home.root.rglob("*") if path.is_socket()]
        return [str(process) for process in self.processes()] + files + os.listdir(self.home.run)

    def last_words(self) -> str:
        """What the parts wrote, for the report of a failure."""
        return "\n".join(f"{path.name}: {path.read_text()[-500:]}" for path in self.home.logs.glob("*.out"))

    def end(self) -> None:
        """End all that this stack started, however it stands."""
        if self.home.run.exists():
            self.memo("down")
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for left in self.processes():
            with suppress(psutil.Error):
                left.kill()
        psutil.wait_procs(self.processes(), timeout=WAIT_S)


@contextmanager
def new_stack(**settings: str) -> Iterator[Stack]:
    """A stack in a new home, not started; removed afterwards."""
    with new_home() as home:
        stack = Stack(home, settings)
        try:
            yield stack
        finally:
            stack.end()


@contextmanager
def desktop_stack(display: str, folder: Path, apps: Iterable[tuple[str, str, str]]) -> Iterator[Stack]:
    """A stack that watches a desktop with these apps, each with its program and the class of its windows."""
    (folder / "applications").mkdir()
    for name, program, window_class in apps:
        text = ENTRY.format(name=name, program=program, window_class=window_class)
        (folder / f"applications/{name}.desktop").write_text(text)
    folders = {"XDG_DATA_HOME": str(folder), "XDG_DATA_DIRS": str(folder)}
    with new_stack(MEMO_SOURCES__ON='["x11"]', DISPLAY=display, **folders) as made:
        made.ok("up")
        yield made


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Press Ctrl-C; return the exit status, and what the process still said."""
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=WAIT_S)
    return process.returncode, said
