"""Prints what probably comes next, one JSON line for each prediction: python subscriber.py GROUP [BROKER_URL].

Start it late, kill it, start it again: what its group has not finished comes again. It needs MEMO's environment.
"""

import json
import sys

from memo.client import subscribe

group, *url = sys.argv[1:]
for prediction in subscribe(group=group, url=url[0] if url else None):
    best = prediction["candidates"][:1]
    line = json.dumps({"id": prediction["id"], "next": [one["text"] for one in best]})
    sys.stdout.write(line + "\n")  # in one piece, also where Python does not buffer
    sys.stdout.flush()
    # Asking for the next one tells the broker that this one is done. It may come twice: its id is its key.
