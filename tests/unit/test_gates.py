"""Gates that need no store: the machine's and the person's."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from dispatching import Still

from memo.core.events import Action, Operation
from memo.core.predictions import Candidate
from memo.core.settings import DispatchSettings, Settings
from memo.desktop.machine import Machine
from memo.protocols import Cost, DispatchContext
from worker.gates import gate_rules
from worker.gates.attempt import Attempt

NOW = datetime.now(UTC)
NO_SESSION: Any = None


FREE = Attempt("one", Candidate(Action(Operation.PROCESS_START, "a"), 0.9, NOW), DispatchContext(1, "a@b", NOW, NOW))
COSTLY, READS = replace(FREE, cost=Cost(ms=1)), replace(FREE, cost=Cost(read_bytes=1))
NOTICED = replace(FREE, noticed=True)


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (partial(gate_rules.battery, Still(charge=49), 50), "49 % is below 50 %"),
        (partial(gate_rules.battery, Still(charge=50), 50), None),
        (partial(gate_rules.battery, Still(), 100), None),
        (partial(gate_rules.memory, Still(memory=6.2)), "programs wait for memory 6 % of the time, the limit is 5 %"),
        (partial(gate_rules.memory, Still(memory=5.0)), None),
        (partial(gate_rules.memory, Still()), None),
        (
            partial(gate_rules.load, Still(cpu=41.0)),
            "programs wait for a processor 41 % of the time, the limit is 40 %",
        ),
        (partial(gate_rules.load, Still(cpu=40.0, load=1.5)), None),
        (partial(gate_rules.load, Still(load=1.6)), "a load of 1.6 per core is above 1.5"),
    ],
)
def test_costly_attempts_wait_while_the_machine_is_busy(gate: Callable[..., str | None], words: str | None) -> None:
    assert gate(NO_SESSION, COSTLY) == gate(NO_SESSION, READS) == words
    assert gate(NO_SESSION, FREE) is None


def test_noticed_attempts_wait_for_the_end_of_full_screen() -> None:
    assert gate_rules.full_screen(Still(full=True), NO_SESSION, NOTICED) == "a window fills the screen"
    assert gate_rules.full_screen(Still(full=True), NO_SESSION, COSTLY) is None
    assert gate_rules.full_screen(Still(), NO_SESSION, NOTICED) is None


@pytest.mark.parametrize(("since", "until", "quiet"), [(-2, 2, True), (2, -2, False), (2, 4, False), (-4, -2, False)])
def test_noticed_attempts_wait_for_the_end_of_quiet_hours(since: int, until: int, quiet: bool) -> None:
    """Each way round midnight, at whatever hour this runs."""
    settings = Settings(timezone="Asia/Shanghai")
    now = datetime.now(settings.zone)
    end = f"{now + timedelta(hours=until):%H:%M}"
    given = DispatchSettings(quiet_hours=f"{now + timedelta(hours=since):%H:%M}-{end}")
    gate = partial(gate_rules.quiet, settings.model_copy(update={"dispatch": given}))
    assert gate(NO_SESSION, NOTICED) == (f"until {end}" if quiet else None)
    assert gate(NO_SESSION, COSTLY) is None


def test_without_quiet_hours_it_is_never_quiet() -> None:
    assert gate_rules.quiet(Settings(), NO_SESSION, NOTICED) is None


def test_battery_counts_only_while_discharging(monkeypatch: pytest.MonkeyPatch) -> None:
    for found, charge in ((None, None), ((40, True), None), ((40, False), 40)):
        battery = found and SimpleNamespace(percent=found[0], power_plugged=found[1])
        monkeypatch.setattr(psutil, "sensors_battery", lambda battery=battery: battery, raising=False)
        assert Machine().battery() == charge


def test_stalls_are_read_where_linux_counts_them(tmp_path: Path) -> None:
    assert Machine(pressure=tmp_path).stalled("memory") is None
    full = "full avg10=1.00 avg60=0.00 avg300=0.00 total=7\n"
    (tmp_path / "memory").write_text("some avg10=12.34 avg60=0.50 avg300=0.10 total=9\n" + full)
    assert Machine(pressure=tmp_path).stalled("memory") == 12.34


def test_the_load_is_that_of_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (6.0, 1.0, 1.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert Machine().load() == 1.5


def test_without_a_display_nothing_is_known_to_fill_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    assert Machine().full_screen() is False
