"""Print what probably comes next, one JSON line for each prediction: python subscriber.py GROUP [BROKER_URL STORE].

Start it late, kill it, start it again: messages that its group has not finished come again.
It needs MEMO's environment.
"""

import json
import sys

from memo.client import subscribe

group, url, store = [*sys.argv[1:], None, None][:3]
for prediction in subscribe(group=group or "", url=url, store=store):
    best = prediction["candidates"][:1]
    line = json.dumps({"id": prediction["id"], "next": [candidate["text"] for candidate in best]})
    sys.stdout.write(line + "\n")  # in one write, also if Python does not buffer
    sys.stdout.flush()
    # Requesting the next message acknowledges this one. A message may come twice: its id is its key.
