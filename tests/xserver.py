"""A desktop for tests: an X server without a screen, a window manager, programs, and xdotool in the person's place."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from conftest import needs_program
from waiting import WAIT_S, until
from Xlib import Xatom
from Xlib.display import Display
from Xlib.error import XError

Program = subprocess.Popen[bytes]


class Desktop:
    """One X server. What is started on it is ended by `end`."""

    def __init__(self) -> None:
        self.programs: list[Program] = []
        reads, writes = os.pipe()
        self.server = self._serve("-displayfd", str(writes), file=writes)
        os.close(writes)
        with open(reads, encoding="ascii") as said:
            self.display = f":{said.readline().strip()}"
        self._environment = os.environ | {"DISPLAY": self.display}

    def _serve(self, *words: str, file: int) -> Program:
        command = [needs_program("Xvfb"), "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset", *words]
        return subprocess.Popen(command, pass_fds=[file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def serve_again(self) -> None:
        """Start a server under the same name, where the first one has ended."""
        self.server = self._serve(self.display, file=0)
        until("the X server comes back", lambda: self._ask("getmouselocation").returncode == 0)

    def start(self, *words: str, given: str = "") -> Program:
        """Start a program; `given` is its standard input."""
        quiet = subprocess.DEVNULL
        program = subprocess.Popen(words, env=self._environment, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
        assert program.stdin is not None
        program.stdin.write(given.encode())
        program.stdin.flush()
        self.programs.append(program)
        return program

    def manage(self) -> Program:
        """Start the window manager, and wait until it manages."""
        manager = self.start(needs_program("openbox"), "--sm-disable")
        until("the window manager manages", self._managed)
        return manager

    def _managed(self) -> bool:
        """Return whether the window is there by which a window manager shows that it runs."""
        with closing(Display(self.display)) as display:
            root, atom = display.screen().root, display.intern_atom("_NET_SUPPORTING_WM_CHECK")
            found = root.get_full_property(atom, Xatom.WINDOW)
            with suppress(XError):
                return bool(found and display.create_resource_object("window", found.value[0]).get_attributes())
        return False

    def terminal(self, title: str) -> Program:
        """A terminal; gets the focus when it appears."""
        return self.start(needs_program("xterm"), "-T", title, "-e", "sleep", "1000")

    def panel(self, title: str) -> Program:
        """A window of Tk's, which does not say whose it is; gets the focus when it appears."""
        return self.start(needs_program("wish"), given=f"wm title . {{{title}}}; wm geometry . 200x100\n")

    def window(self, title: str) -> str:
        """The number of a window, once it is there. With `--sync` xdotool itself would wait, now and then for ever."""
        search = ("search", "--onlyvisible", "--name", f"^{title}$")
        return until(f"the window {title}", lambda: self._ask(*search).stdout.decode().split())[0]

    def focus(self, window: str) -> None:
        """Switch to a window; asked again where the window manager is not yet there."""
        switch = ("windowactivate", window, "getactivewindow")
        until("the window has the focus", lambda: self._ask(*switch).stdout.decode().strip() == window)

    def person(self, *words: str) -> str:
        """What xdotool says of an act."""
        done = self._ask(*words)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.decode()

    def _ask(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        command = [needs_program("xdotool"), *words]
        return subprocess.run(command, env=self._environment, capture_output=True, timeout=WAIT_S, check=False)

    def end(self) -> None:
        """End all programs, the newest first, and the server."""
        for program in reversed(self.programs):
            program.kill()
            program.communicate()
        self.server.terminate()  # it removes its socket
        self.server.wait()


@contextmanager
def new_desktop() -> Iterator[Desktop]:
    """A desktop with a window manager, ended afterwards."""
    desktop = Desktop()
    try:
        desktop.manage()
        yield desktop
    finally:
        desktop.end()
