"""`python -m worker.dispatch.handler_main NAME`: the process of one handler.

Its standard input is a socket to the dispatcher. The process first writes one line, when it is ready; then it answers
each JSON line that it receives by one line, `{"result": …}`, `{"nothing": REASON}` or `{"error": REASON}`. The
handler's own standard input is empty, and its output is discarded.
"""

import json
import os
import socket
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

from memo.core import logs
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.predictions import Candidate, action_as_dict, action_from_dict
from memo.core.settings import Settings
from memo.protocols import DispatchContext, Handler, NothingToDo
from memo.stack.process_specs import end_with_parent, give_back_memory
from worker.handlers import as_result, make, reason

log = logs.get_logger(__name__)

HANDLE = "handle"
EXPIRE = "expire"


def as_request(candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
    """Return the request to handle a candidate; its times are still objects."""
    fields = asdict(candidate) | {"action": action_as_dict(candidate.action)}
    return {"do": HANDLE, "candidate": fields, "context": asdict(context)}


def _candidate(fields: dict[str, Any]) -> Candidate:
    action, expected_at = action_from_dict(fields["action"]), datetime.fromisoformat(fields["expected_at"])
    return Candidate(**(fields | {"action": action, "expected_at": expected_at}))


def _context(fields: dict[str, Any]) -> DispatchContext:
    times = {name: datetime.fromisoformat(fields[name]) for name in ("made_at", "until")}
    return DispatchContext(**(fields | times))


def _do(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == EXPIRE:
        handler.expire(request["result"])
        return {}
    return as_result(handler.handle(_candidate(request["candidate"]), _context(request["context"])))


def _reply(handler: Handler, line: bytes) -> dict[str, Any]:
    try:
        return {"result": _do(handler, json.loads(line))}
    except NothingToDo as error:
        return {"nothing": reason(error)}
    except MemoError as error:
        return {"error": reason(error)}
    except Exception as error:  # whatever a plug-in raises
        log.exception("handler_failed")
        return {"error": reason(error)}


def _take_input() -> socket.socket:
    """Return the socket that is the standard input, and put an empty one in its place."""
    connection = socket.socket(fileno=os.dup(0))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return connection


def _send(connection: socket.socket, reply: dict[str, Any]) -> None:
    connection.sendall(json.dumps(reply).encode() + b"\n")


def main(name: str) -> None:
    """Serve the handler until the dispatcher ends."""
    connection = _take_input()
    end_with_parent()
    give_back_memory()
    try:
        home, settings = Home.find(), Settings.load()
        logs.setup(home.logs, f"handler-{name}")
        handler = make(name, settings, home)
    except Exception as error:
        _send(connection, {"error": reason(error)})
        raise
    _send(connection, {"result": {}})
    with connection.makefile("rb") as requests:
        for line in requests:
            _send(connection, _reply(handler, line))


if __name__ == "__main__":
    try:
        main(sys.argv[-1])
    except (MemoError, BrokenPipeError) as error:
        sys.exit(str(error))
