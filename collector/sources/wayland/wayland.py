"""This user's Wayland compositor: its socket, the probe processes that talk to it, and its idle signal."""

import asyncio
import os
import select
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from collector.focus.presence import IDLE_S, PresenceSignal, SetPresence, watch_logind
from memo.core.logs import get_logger
from memo.desktop.sockets import answering
from memo.protocols import Stop
from memo.stack.backoff import BACK_OFF_S, Backoff
from memo.stack.spawn import child_environment, python_command

if TYPE_CHECKING:
    from _typeshed import HasFileno

READ_BYTES = 65_536
END_S = 2.0  # for a probe to end once it has closed its output

log = get_logger(__name__)


def wait_readable(file: "HasFileno", stop: Stop, deadline: float) -> bool:
    """Wait until there is something to read, and return True; False once the deadline has passed or `stop` is set.

    The deadline is a time of `time.monotonic`.
    """
    left_s = deadline - time.monotonic()
    return left_s > 0 and file in select.select([file, stop], [], [], left_s)[0] and not stop.is_set()


def find_compositor() -> Path | None:
    """Return the compositor's socket, or None if none runs."""
    return answering(os.environ.get("WAYLAND_DISPLAY", ""), r"wayland-\d+")


def has_pywayland() -> bool:
    """Return whether the library that speaks Wayland is installed."""
    return find_spec("pywayland") is not None


@contextmanager
def run_probe(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of ours in a child process while the context lasts; its output can be read."""
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


def exit_status(child: subprocess.Popen[bytes], end_s: float = END_S) -> int:
    """Return the exit status of a probe whose output has ended; kill one that goes on."""
    try:
        return child.wait(end_s)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


@asynccontextmanager
async def watch_idle(
    set_presence: SetPresence, idle_s: float = IDLE_S, back_off_s: tuple[float, float] = BACK_OFF_S
) -> AsyncIterator[None]:
    """Report when there has been no input for `idle_s`, and when there is again, while the context lasts.

    Reports nothing without a compositor that supports it. A program that keeps the screen on counts as input.
    """
    if find_compositor() is None or not has_pywayland():
        yield
        return
    probing = asyncio.create_task(_keep_probing(set_presence, idle_s, Backoff(*back_off_s)))
    try:
        yield
    finally:
        probing.cancel()
        await asyncio.wait([probing])


SIGNALS: Sequence[PresenceSignal] = (watch_logind, watch_idle)


async def _keep_probing(set_presence: SetPresence, idle_s: float, backoff: Backoff) -> None:
    """Probe, and restart after a delay if the probe or the compositor ends; the focus is followed meanwhile."""
    while True:
        began = time.monotonic()
        try:
            if display := find_compositor():
                return await _probe(display, set_presence, idle_s)
        except OSError as error:
            log.warning("idle_probe_failed", reason=str(error))
        await asyncio.sleep(backoff.delay_after(time.monotonic() - began))


async def _probe(display: Path, set_presence: SetPresence, idle_s: float) -> None:
    """Probe until cancelled; return if the compositor has no idle signal.

    Raises OSError if the probe ends or cannot be started.
    """
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    with run_probe("collector.sources.wayland.idle_probe", str(display), str(int(idle_s * 1000))) as child:
        assert child.stdout is not None
        file = child.stdout.fileno()

        def read() -> None:
            data = os.read(file, READ_BYTES)
            for byte in data:
                set_presence("idle", byte == ord("1"), idle_s)
            if not data:  # the probe has ended: nothing else would report that the person is back
                loop.remove_reader(file)
                set_presence("idle", False)
                ended.set()

        loop.add_reader(file, read)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(file)
        if (status := exit_status(child)) != os.EX_UNAVAILABLE:
            raise ChildProcessError(f"the idle probe has ended with status {status}")
