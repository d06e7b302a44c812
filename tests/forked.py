"""Commands of `memo` as processes of their own, forked from one that has imported what they import.

Loading that takes a new interpreter ten times as long as most commands take.
"""

import atexit
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from select import select
from tempfile import TemporaryFile
from threading import Lock
from types import ModuleType
from typing import Any, NoReturn

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
    """Connect to the process that imports a module too, and forks; all workers of this run share one."""
    from conftest import turn  # not in the process that forks

    asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    atexit.register(asked.close)
    asked.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    run = os.getppid() if is_worker else os.getpid()
    address = f"\0memo-test-{run}-{module}"  # in no folder: the kernel deletes it with the process
    with turn("forked"):
        try:
            asked.connect(address)
        except ConnectionRefusedError:
            _start(address, run, module)
            asked.connect(address)
    return asked


def _start(address: str, run: int, module: str) -> None:
    """Start a process that answers at an address until the process `run` ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening, open(os.devnull, "w") as empty:
        listening.bind(address)
        listening.listen()
        listening.set_inheritable(True)
        command = [sys.executable, "-P", __file__, str(listening.fileno()), str(run), module]
        others = {name: value for name, value in os.environ.items() if not name.startswith("MEMO_")}  # it is of no home
        os.posix_spawn(sys.executable, command, others, file_actions=[(os.POSIX_SPAWN_DUP2, empty.fileno(), 1)])


def serve(listening: socket.socket, run: int) -> None:
    """Run each command that is asked for, several at once if need be, until the run ends."""
    program = import_module("memo.__main__")
    for command in import_module("cli").COMMANDS.values():
        import_module(f"cli.{command.partition(':')[0]}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    end = os.pidfd_open(run)
    opened: list[Any] = [listening]
    while end not in (ready := select([end, *opened], [], [])[0]):
        for asked in ready:
            if asked is listening:
                opened += _accept(listening)
                continue
            message, files, _, _ = socket.recv_fds(asked, LARGEST, 4)
            if not message:
                opened.remove(asked)
                asked.close()
            elif os.fork() == 0:
                for inherited in opened:
                    inherited.close()
                os.close(end)
                _run(program, message, files)
            for file in files:
                os.close(file)


def _accept(listening: socket.socket) -> list[socket.socket]:
    """Return a new connection, none if it is of another user."""
    asked, _ = listening.accept()
    _, user, _ = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if user == os.getuid():
        return [asked]
    asked.close()
    return []


def _run(program: ModuleType, message: bytes, files: Sequence[int]) -> NoReturn:
    """Run a command in a child of this process, which tells its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    words, environment, cwd = json.loads(message)
    child = os.fork()
    if child == 0:
        _become(words, environment, cwd, files)
        program.main()
        sys.exit()
    _, status = os.waitpid(child, 0)
    os.write(files[-1], str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


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
    number, of_run, module = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.closerange(3, number)  # what the run has opened, or who started it
    os.closerange(number + 1, os.sysconf("SC_OPEN_MAX"))
    import_module(module)
    serve(socket.socket(fileno=number), of_run)
