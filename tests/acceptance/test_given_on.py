"""Predictions that leave MEMO, through the real stack: to a web address and to a program of its owner's."""

import json
import sys

from servers import serving
from stack import SCOPE, lines, new_stack
from waiting import until

from worker.handlers.webhook import signature

SECRET = "a secret of enough length"
KEEP = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"


def test_a_web_address_and_a_program_are_given_what_is_predicted() -> None:
    with serving() as web, new_stack() as stack:
        kept = stack.home.root / "kept.jsonl"
        stack.settings |= {
            "MEMO_DISPATCH__ON": json.dumps(["log", "webhook", "exec"]),
            "MEMO_DISPATCH__ROUTES": json.dumps({"window_focus": ["log", "webhook", "exec"]}),
            "MEMO_DISPATCH__MINIMUM_PROBABILITY": "0.1",
            "MEMO_WEBHOOK__URL": f"{web.url}/hook",
            "MEMO_WEBHOOK__SECRET": SECRET,
            "MEMO_EXEC__COMMAND": json.dumps([sys.executable, "-c", KEEP, str(kept)]),
        }
        stack.ok("up")
        for line in lines(12, "2026-03-02 09:00:00", "App $(touch pwned) {}"):
            stack.predict([line.replace("Started app", "Switched to window")])
        until("a request", lambda: web.sent)
        until("a line", lambda: kept.exists() and kept.read_text().endswith("\n"))
        until("both are done", lambda: stack.one(
            "SELECT count(DISTINCT handler) FROM dispatches WHERE status = 'done' AND handler IN ('webhook', 'exec')"
        ) == 2)  # fmt: skip
        stack.ok("down")
        given = json.loads(kept.read_text().splitlines()[0])
        sent = web.sent[0]
        assert stack.one("SELECT count(*) FROM dispatches WHERE status = 'failed'") == 0
    stamp = sent.headers["Memo-Timestamp"]
    assert sent.headers["Memo-Signature"] == f"sha256={signature(SECRET, stamp, sent.body)}"
    for body in (given, json.loads(sent.body)):
        assert body["schema"] == "candidate.v1" and body["scope"] == SCOPE
        assert body["action"]["target"].startswith("App $(touch pwned) ")
