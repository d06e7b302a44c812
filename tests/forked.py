"""Commands of `memo` as processes of their own, forked from one that has imported what they import.

Loading that takes a new interpreter ten times as long as most commands take.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock

LARGEST = 1_000_000  # bytes of a command with its environment
TORCH = {"train": "training.fitting.fine_tune", "evaluate": "training.fitting.fine_tune"}
"""What these commands import besides, in a process of their own: to end one with torch in it takes the others long."""

_LOCK = Lock()


def run(words: Sequence[str], environment: Mapping[str, str], cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, as `subprocess.run` would."""
    reads, writes = os.pipe()
    with open(reads) as reply, TemporaryFile("w+") as out, TemporaryFile("w+") as err, open(os.devnull) as empty:
        asked = json.dumps([words, dict(environment), str(cwd)]).encode()
        with _LOCK:
            server = _server(TORCH.get(words[0], "cli") if words else "cli")
        socket.send_fds(server, [asked], [empty.fileno(), out.fileno(), err.fileno(), writes])
        os.close(writes)
        status = int(reply.read())
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(words), status, out.read(), err.read())


@cache
def _server(module: str) -> socket.socket:
    """Start a process that imports a module too, and forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
    command = [sys.executable, "-P", __file__, str(theirs.fileno()), module]
    others = {name: value for name, value in os.environ.items() if not name.startswith("MEMO_")}  # it is of no home
    process = subprocess.Popen(command, env=others, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def serve(asked: socket.socket) -> None:
    """Run each command that is asked for, several at once if need be, until nobody can ask any more."""
    program = import_module("memo.__main__")
    for command in import_module("cli").COMMANDS.values():
        import_module(f"cli.{command.partition(':')[0]}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    while True:
        message, files, _, _ = socket.recv_fds(asked, LARGEST, 4)
        if not message:
            return
        words, environment, cwd = json.loads(message)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asked.close()
            child = os.fork()
            if child == 0:
                _become(words, environment, cwd, files)
                program.main()
                sys.exit()
            _, status = os.waitpid(child, 0)
            os.write(files[-1], str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        for file in files:
            os.close(file)


def _become(words: Sequence[str], environment: Mapping[str, str], cwd: str, files: Sequence[int]) -> None:
    """Turn this process into what a new one would be."""
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = ["memo", *words]


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import_module(sys.argv[2])
    serve(socket.socket(fileno=int(sys.argv[1])))
