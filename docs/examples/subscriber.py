"""Prints what probably comes next, one JSON line for each prediction: python subscriber.py GROUP [BROKER_URL].

Start it late, kill it, start it again: what its group has not finished comes again. It needs MEMO's environment.
"""

import json
import sys

from memo.client import subscribe

group, *url = sys.argv[1:]
for prediction in subscribe(group=group, url=url[0] if url else None):
    best = prediction["candidates"][:1]
    print(json.dumps({"id": prediction["id"], "next": [one["text"] for one in best]}), flush=True)
    # Asking for the next one tells the broker that this one is done. It may come twice: its id is its key.
