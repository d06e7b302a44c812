"""The limits of a training: a bound of memory, and a unit where a user manager of systemd answers."""

import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from conftest import needs_program
from stores import make_store, store_events
from waiting import TRAINING, WAIT_S

from db.engine import Store, open_store
from db.models import RunRow
from db.upkeep import jobs, runs
from memo.core.errors import MemoError
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from training import limits

SCOPE = "a@b"
LEAST = 1_500_000_000  # bytes; what a training waits for
LOW = 1_400_000_000  # bytes; more than the built-in model needs, even where torch was built for GPUs
NONE = resource.RLIM_INFINITY
HUGE = "8192"  # rank of an adapter that takes several times as much
STAND_IN = """#!/bin/sh
printf '%s ' "$@" >> {log}
echo >> {log}
case "$*" in *{refused}*) exit 1;; esac
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
USER_MANAGER = """
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/user
export XDG_RUNTIME_DIR=/run/user DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/bus
chmod 700 /run/user
for place in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    test -e $place/cgroup.procs && mkdir $place/$NAME && echo $$ > $place/$NAME/cgroup.procs
done
/lib/systemd/systemd --user &
manager=$!
for turn in $(seq 100); do
    systemctl --user is-system-running && break
    sleep .1
done
"$@"
kill $manager
wait $manager
for place in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if test -e $place/$NAME; then
        echo $$ > $place/cgroup.procs
        find $place/$NAME -depth -type d -exec rmdir {} +
    fi
done
"""
"""Runs a command beside a user manager that no other process sees, as it lives in a mount namespace of its own."""
SHOW = """
unit=$(basename $(sed -n 's/^0:://p' /proc/self/cgroup))
echo UNIT $unit
echo AFTER $$
systemctl --user show $unit -p MemoryMax -p MemorySwapMax -p CPUWeight -p IOWeight -p Slice
"""
TAKE = f"""
import os
from training import limits
print("BEFORE", os.getpid(), flush=True)
limits.python_command = lambda *_: ["bash", "-c", {SHOW!r}]
limits.take_limits()
"""


@pytest.fixture
def store(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name, value in {"SCOPE": SCOPE, "SCHEDULE__RETRAIN_IDLE_S": "0", "TRAIN__EPOCHS": "1"}.items():
        monkeypatch.setenv(f"MEMO_{name}", value)
    for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    make_store(Settings.load(), home)
    opened = open_store(Settings.load(), home)
    yield opened
    opened.close()


def queue_training(store: Store) -> None:
    start = datetime.now(UTC) - timedelta(hours=9)
    happened = [
        Event(start + timedelta(minutes=n), Operation.FILE_ACCESS, f"{n % 7}.txt", "editor") for n in range(400)
    ]
    with store.write() as session:
        store_events(session, SCOPE, happened)
        runs.add_run(session, runs.TRAIN, SCOPE)


def carry_out(low: int = 0) -> int:
    """Carry out what is queued, by a process that may have had a `low` bound before; return its id."""
    before = partial(resource.setrlimit, resource.RLIMIT_DATA, (low, low)) if low else None
    silent = subprocess.DEVNULL
    with subprocess.Popen(TRAINING, preexec_fn=before, stdout=silent, stderr=silent) as process:
        assert process.wait(WAIT_S) == 0
    return process.pid


def find_limits(home: Home) -> dict[str, object]:
    """What the last training process said of its limits."""
    lines = map(json.loads, (home.logs / "training.log").read_text("utf-8").splitlines())
    return next(line for line in reversed(list(lines)) if line["event"] == "limits")


@pytest.mark.parametrize(
    ("free", "total", "bound"),
    [(3e9, 4e9, 2e9), (1.8e9, 8e9, 1.8e9), (20e9, 24e9, 12e9), (0.4e9, 2e9, LEAST), (1.6e9, 2e9, LEAST)],
)
def test_bound_is_what_is_free(free: float, total: float, bound: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free, total=total))
    assert limits.find_bound() == bound


@pytest.mark.parametrize(
    ("given", "lowest"),
    [((NONE, NONE), LEAST), ((LOW, NONE), LOW), ((LOW, LOW), LOW), ((2 * LEAST, NONE), LEAST), ((LOW, LEAST), LOW)],
)
def test_lower_bound_of_the_owner_stays(given: tuple[int, int], lowest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = list[tuple[int, int]]()
    monkeypatch.setattr(resource, "getrlimit", lambda _: given)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: taken.append(limits))
    limits.limit_memory(LEAST)
    assert taken == [(lowest, lowest)]


def test_training_at_its_bound_fails_and_says_so(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    queue_training(store)
    monkeypatch.setenv("MEMO_TRAIN__RANK", HUGE)
    carry_out(LOW)
    with store.read() as session:
        run = session.get_one(RunRow, 1)
        told = jobs.find_last_result(session, jobs.RETRAIN)
        assert runs.is_delayed(session, runs.TRAIN, SCOPE)
    assert run.state == "failed" and told == f"{SCOPE}: {run.result['reason']}"
    assert run.result["reason"].startswith("The training needs more than the 1.4 GB of memory that it may take")
    assert run.result["reason"].endswith("or run `memo train`, which has no such limit.")
    assert [folder.name for folder in home.models.iterdir() if not folder.name.startswith("unfinished-")] == []
    monkeypatch.delenv("MEMO_TRAIN__RANK")
    with store.write() as session:
        runs.record_urgent(session, runs.TRAIN, SCOPE)
    carry_out(LOW)
    with store.read() as session:
        run = session.get_one(RunRow, 2)
    assert run.version == "v0001", run.result


def test_want_of_memory_without_a_bound_is_not_renamed() -> None:
    with pytest.raises(MemoryError), limits.naming_the_bound():
        raise MemoryError


def test_other_errors_are_not_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (LOW, LOW))
    with pytest.raises(KeyError), limits.naming_the_bound():
        raise KeyError("x")
    for error in (MemoryError(), OSError(12, "Cannot allocate memory")):
        with pytest.raises(MemoError, match=r"more than the 1\.4 GB"), limits.naming_the_bound():
            raise error


def stand_in(folder: Path, refused: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program in the place of systemd-run that notes its arguments and runs the command, as the same process."""
    program, log = folder / "bin" / "systemd-run", folder / "asked"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(log=log, refused=refused))
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return log


@pytest.mark.parametrize(("refused", "weights"), [("nothing", ["idle", "idle"]), ("=idle", ["idle", "1", "1"])])
def test_training_goes_on_in_a_unit(
    store: Store, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str, weights: list[str]
) -> None:
    log = stand_in(tmp_path, refused, monkeypatch)
    carry_out()
    asked = log.read_text().splitlines()
    assert [next(word for word in line.split() if "CPUWeight" in word) for line in asked] == [
        f"--property=CPUWeight={weight}" for weight in weights
    ]
    assert asked[-1].endswith(" -m training --limited ")
    found = find_limits(home)
    assert found["has_unit"] and f"--property=MemoryMax={found['memory']} " in asked[-1]


def test_without_a_user_manager_only_memory_is_bounded(store: Store, home: Home) -> None:
    asked = subprocess.run(
        [needs_program("systemd-run"), "--user", "--scope", "true"], capture_output=True, check=False
    )
    assert asked.returncode and b"bus" in asked.stderr
    carry_out()
    found = find_limits(home)
    assert not found["has_unit"] and isinstance(found["memory"], int) and found["memory"] >= LEAST


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a user manager that no other process sees")
def test_user_manager_takes_the_process_as_it_is(home: Home) -> None:
    needs_program("systemd-run")
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", USER_MANAGER, "bash"]
    environment = os.environ | {"NAME": f"memo-test-{os.getpid()}"}
    done = subprocess.run(
        [*command, sys.executable, "-c", TAKE], env=environment, capture_output=True, text=True, check=False
    )
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    words = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert words["UNIT"].startswith("run-") and words["BEFORE"] == words["AFTER"], done.stderr
    assert int(found.pop("MemoryMax")) >= LEAST
    assert found == {"MemorySwapMax": "0", "CPUWeight": "idle", "IOWeight": "1", "Slice": "background.slice"}
