"""`python -m worker.dispatch.handler_main NAME`: the process of a handler.

Its standard input is a socket to the dispatcher.

On it go JSON lines: first it says that it is ready, then each line that it is sent gets one back, `{"result": …}` or
`{"error": …}`. What a handler itself reads from standard input, or prints, reaches nobody.
"""

import json
import os
import socket
import sys
from datetime import datetime
from typing import Any

from memo.core import logs
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.predictions import Candidate, action_as_dict, action_from_dict
from memo.core.settings import Settings
from memo.protocols import DispatchContext, Handler
from memo.stack.process_specs import end_with_parent, give_back_memory
from worker.handlers import as_result, make, reason

log = logs.get_logger(__name__)

HANDLE, EXPIRE = "handle", "expire"


def asked(candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
    """What is sent for a go, as JSON."""
    return {
        "do": HANDLE,
        "candidate": {
            "action": action_as_dict(candidate.action),
            "probability": candidate.probability,
            "expected_at": candidate.expected_at.isoformat(),
            "detail": candidate.detail,
            "executable": candidate.executable,
            "spread_s": candidate.spread_s,
        },
        "context": {
            "prediction_id": context.prediction_id,
            "scope": context.scope,
            "made_at": context.made_at.isoformat(),
            "until": context.until.isoformat(),
        },
    }


def _candidate(given: dict[str, Any]) -> Candidate:
    read = {"action": action_from_dict(given["action"]), "expected_at": datetime.fromisoformat(given["expected_at"])}
    return Candidate(**(given | read))


def _context(given: dict[str, Any]) -> DispatchContext:
    times = {name: datetime.fromisoformat(given[name]) for name in ("made_at", "until")}
    return DispatchContext(**(given | times))


def _do(handler: Handler, ask: dict[str, Any]) -> dict[str, Any]:
    if ask["do"] == EXPIRE:
        handler.expire(ask["result"])
        return {}
    return as_result(handler.handle(_candidate(ask["candidate"]), _context(ask["context"])))


def _answer(handler: Handler, line: bytes) -> dict[str, Any]:
    try:
        return {"result": _do(handler, json.loads(line))}
    except MemoError as error:
        return {"error": reason(error)}
    except Exception as error:  # whatever a plug-in raises
        log.exception("a handler failed")
        return {"error": reason(error)}


def _take_input() -> socket.socket:
    """The socket, and nothing to read in its place."""
    connection = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return connection


def _say(connection: socket.socket, words: dict[str, Any]) -> None:
    connection.sendall(json.dumps(words).encode() + b"\n")


def main(name: str) -> None:
    """Serve until the dispatcher goes."""
    connection = _take_input()
    end_with_parent()
    give_back_memory()
    try:
        home, settings = Home.find(), Settings.load()
        logs.setup(home.logs, f"handler-{name}")
        handler = make(name, settings, home)
    except Exception as error:
        _say(connection, {"error": reason(error)})
        raise
    _say(connection, {"result": {}})
    with connection.makefile("rb") as asks:
        for line in asks:
            _say(connection, _answer(handler, line))


if __name__ == "__main__":
    try:
        main(sys.argv[-1])
    except (MemoError, BrokenPipeError) as error:
        sys.exit(str(error))
