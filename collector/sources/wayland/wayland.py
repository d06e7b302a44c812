"""This user's Wayland compositor: where it listens, what speaks with it, and whether it says that nobody is there."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path

from collector.focus.presence import IDLE_S, Mark
from memo.core.logs import get_logger
from memo.desktop.sockets import answering
from memo.stack.backoff import BACK_OFF_S, Backoff
from memo.stack.spawn import child_environment, python_command

READ = 65_536
"""Bytes at once."""

log = get_logger(__name__)


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
        python_command(module, *arguments),
        env=child_environment(),
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
    if compositor() is None or not can_speak():
        yield
        return
    asking = asyncio.create_task(_keep_asking(mark))
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.wait([asking])


async def _keep_asking(mark: Mark) -> None:
    """Ask, and after a pause anew, where the child or the compositor has gone; the focus is followed meanwhile."""
    back_off = Backoff(*BACK_OFF_S)
    while True:
        began = time.monotonic()
        try:
            if display := compositor():
                return await _ask(display, mark)
        except OSError as error:
            log.warning("whether somebody is there is asked again after a pause", reason=str(error))
        await asyncio.sleep(back_off.delay_after(time.monotonic() - began))


async def _ask(display: Path, mark: Mark) -> None:
    """Ask until a compositor tells nobody, else for ever. Raises OSError where the child ends or can't be started."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    with speaking("collector.sources.wayland.idle_probe", str(display), str(int(IDLE_S * 1000))) as child:
        assert child.stdout is not None
        file = child.stdout.fileno()

        def read() -> None:
            told = os.read(file, READ)
            for word in told:
                mark("idle", word == ord("1"), IDLE_S)
            if not told:  # it has ended: nobody would say any more that somebody is back
                loop.remove_reader(file)
                mark("idle", False)
                ended.set()

        loop.add_reader(file, read)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(file)
        if (status := child.wait()) != os.EX_UNAVAILABLE:
            raise ChildProcessError(f"the process that asks has ended with status {status}")
