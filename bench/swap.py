"""Whether a change of the version loses a prediction or delays one: two versions in turn, while events come.

    python bench/swap.py [SWAPS]

Each swap happens by `memo model activate`, while events are appended at about one a second.
"""

import sys
import time
from datetime import datetime
from threading import Thread

from _stack import Report, invented, memo, new_home, p50_p99, up, write_lines
from latency import LAST_S, WARM_UP, listening, rows, send

from memo.core.predictions import BUILTIN

SWAPS = 10
BETWEEN = 5  # events from one swap to the next
HISTORY = 1_000  # events stored before, on which the other version is trained
TRAINED = "v0001"


def main() -> None:
    """Print the table."""
    swaps = int(sys.argv[1]) if len(sys.argv) > 1 else SWAPS
    report = Report(f"{swaps} changes of the version, {BETWEEN} events after each")
    with new_home() as home:
        given = invented(HISTORY + WARM_UP + swaps * BETWEEN)
        write_lines(home.root / "history.txt", given[:HISTORY])
        memo("import", str(home.root / "history.txt"))
        memo("train")
        sent = dict[datetime, float]()
        with up(), listening() as received:
            send(home.inbox, given[HISTORY : HISTORY + WARM_UP])
            for number in range(swaps):
                name = BUILTIN if number % 2 else TRAINED
                swap = Thread(target=memo, args=("model", "activate", name))
                swap.start()
                begin = HISTORY + WARM_UP + number * BETWEEN
                sent |= send(home.inbox, given[begin : begin + BETWEEN])
                swap.join()
            time.sleep(LAST_S)
        found = [(prediction, sent[event.at]) for event, prediction in rows(home) if event.at in sent]
        times = [received[row.id][0] - began for row, began in found if row.id in received]
        served = [row.model_version for row, _ in found]
    report.add("events with a prediction and its message", f"{len(times)} of {len(sent)}", "all")
    report.add("line appended → message received, p50 / p99", p50_p99(times))
    report.add("the longest", f"{max(times):.2f} s", "≤ 2 s")
    report.add(f"predictions by {TRAINED} / {BUILTIN}", f"{served.count(TRAINED)} / {served.count(BUILTIN)}")
    report.show()


if __name__ == "__main__":
    main()
