"""CPU, wake-ups and memory of the whole stack while nothing happens, after some predictions.

python bench/idle.py
"""

import time
from collections import defaultdict
from contextlib import suppress

import psutil
from _stack import Report, invented, new_home, processes, store, up, wait_for, wakes

from memo.core.grammar import write
from memo.core.paths import Home

IDLE_S = 60.0  # measured
SETTLE_S = 10.0  # before that
EVENTS = 400
PAUSE_S = 0.1  # between two events
MB = 1e6


def use(home: Home) -> None:
    """Let the stack predict until the language model's context has its full length."""
    with (home.inbox / "some.txt").open("a", encoding="utf-8") as file:
        for event in invented(EVENTS):
            file.write(f"{write(event, 'en')}\n")
            file.flush()
            time.sleep(PAUSE_S)
    with store(home) as opened:
        wait_for(EVENTS, opened)


def spent() -> dict[int, tuple[float, int]]:
    """Return the CPU seconds used by each process of the stack, and how often it woke up."""
    found = {}
    for pid in processes():
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            found[pid] = times.user + times.system, wakes(pid)
    return found


def by_part(values: dict[int, float]) -> dict[str, float]:
    """Return the sums by part."""
    names, sums = processes(), defaultdict[str, float](float)
    for pid, value in values.items():
        sums[names.get(pid, "gone")] += value
    return sums


def main() -> None:
    """Print the table."""
    report = Report("Idle")
    with new_home() as home, up():
        use(home)
        time.sleep(SETTLE_S)
        before = spent()
        time.sleep(IDLE_S)
        used = {pid: (cpu_s - before[pid][0], woke - before[pid][1]) for pid, (cpu_s, woke) in spent().items()}
        cpu = by_part({pid: cpu_s / IDLE_S * 100 for pid, (cpu_s, _) in used.items()})
        woke = by_part({pid: number / IDLE_S for pid, (_, number) in used.items()})
        memory = by_part({pid: psutil.Process(pid).memory_full_info().pss / MB for pid in processes()})
    report.add(f"CPU over {IDLE_S:.0f} s, of one core", f"{sum(cpu.values()):.2f} %", "≤ 0.4 %")
    report.add(f"wake-ups over {IDLE_S:.0f} s, per second", f"{sum(woke.values()):.1f}", "≤ 5")
    report.add("memory (PSS)", f"{sum(memory.values()):.0f} MB", "≤ 450 MB")
    for name, value in sorted(memory.items(), key=lambda one: -one[1]):
        report.add(f"part: {name}", f"{cpu[name]:.2f} %, {woke[name]:.1f} wake-ups, {value:.0f} MB")
    report.show()


if __name__ == "__main__":
    main()
