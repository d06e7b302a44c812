"""This user's Wayland compositor: where it listens, what speaks with it, and whether it says that nobody is there."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path

from collector.presence import IDLE_S, Mark
from collector.sources.sockets import answering
from memo.parts import PARENT

READ = 65_536
"""Bytes at once."""


def compositor() -> Path | None:
    """Its socket, where one runs."""
    return answering(os.environ.get("WAYLAND_DISPLAY", ""), r"wayland-\d+")


def can_speak() -> bool:
    """Whether there is what speaks its language."""
    return find_spec("pywayland") is not None


@contextmanager
def speaking(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child process that runs a module of ours, as long as the context lasts; its output is to be read."""
    child = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | {PARENT: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


@asynccontextmanager
async def idle(mark: Mark) -> AsyncIterator[None]:
    """Tell `mark` when keyboard and mouse are not touched for `IDLE_S`, and when they are again.

    Nothing is told where no compositor runs, or one that tells nobody. What keeps the screen on, as a film does, counts
    as a touch.
    """
    display = compositor()
    if display is None or not can_speak():
        yield
        return
    loop = asyncio.get_running_loop()
    with speaking("collector.sources.seat", str(display), str(int(IDLE_S * 1000))) as child:
        assert child.stdout is not None
        file = child.stdout.fileno()

        def read() -> None:
            told = os.read(file, READ)
            for word in told:
                mark("idle", word == ord("1"), IDLE_S)
            if not told:  # it has ended: nobody would say any more that somebody is back
                loop.remove_reader(file)
                mark("idle", False)

        loop.add_reader(file, read)
        try:
            yield
        finally:
            loop.remove_reader(file)
