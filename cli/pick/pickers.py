"""The pickers that desktops have. A picker reads the lines on its standard input and prints the picked one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from memo.core.errors import MemoError, UsageError
from memo.display.text import safe

OPEN_S = 600  # a picker that stays open longer is closed
TERMINAL = "terminal"
ICON = "\0icon\x1f"  # between a line and its icon. Source: rofi-script(5), fuzzel(1)
Line = tuple[str, str]
"""A text and its icon, by name or path; the icon may be empty."""


@dataclass(frozen=True, slots=True)
class Picker:
    """A program that shows lines in the order given, and filters them by what is typed."""

    command: tuple[str, ...]
    needs: str  # the variable that is set where it can run, or TERMINAL
    shows_icons: bool = False
    prints_index: bool = True  # else it prints the line, which is then numbered so that it is unique

    @property
    def name(self) -> str:
        """The name of its program."""
        return self.command[0]

    def choose(self, lines: Sequence[Line]) -> int | None:
        """Return the index of the line that was picked, or None. Raises MemoError if the picker does not run."""
        given = [self._as_input(number, line) for number, line in enumerate(lines, 1)]
        try:
            done = subprocess.run(
                self.command, input="\n".join(given).encode(), stdout=subprocess.PIPE, timeout=OPEN_S, check=False
            )
        except subprocess.TimeoutExpired:
            return None
        except OSError as error:
            raise MemoError(f"The picker {self.name} can't be started ({error.strerror}).") from error
        answer = done.stdout.decode(errors="replace").strip("\n")
        return self._parse(answer, given) if done.returncode == 0 else None

    def _as_input(self, number: int, line: Line) -> str:
        text, icon = map(safe, line)
        if not self.prints_index:
            return f"{number} {text}"
        return f"{text}{ICON}{icon}" if self.shows_icons and icon else text

    def _parse(self, answer: str, given: Sequence[str]) -> int | None:
        if not self.prints_index:
            return given.index(answer) if answer in given else None
        return int(answer) if answer.isdecimal() and int(answer) < len(given) else None


PICKERS = (
    Picker(("rofi", "-dmenu", "-i", "-no-custom", "-format", "i", "-p", "memo", "-show-icons"), "DISPLAY", True),
    Picker(
        (
            "wofi",
            "--dmenu",
            "--insensitive",
            "--prompt=memo",
            "--cache-file=/dev/null",  # it would put first what was picked before
            "--define=dmenu-print_line_num=true",
        ),
        "WAYLAND_DISPLAY",
    ),
    Picker(("fuzzel", "--dmenu", "--index", "--prompt=memo ", "--log-level=error"), "WAYLAND_DISPLAY", True),
    Picker(("dmenu", "-i", "-l", "8", "-p", "memo"), "DISPLAY", prints_index=False),
    Picker(("fzf", "--no-sort", "--no-multi", "--layout=reverse", "--preview="), TERMINAL, prints_index=False),
)


def find_picker(program: str) -> Picker:
    """Return the named picker, or with "auto" the first one that is installed and can run here.

    Raises UsageError if there is none. In a Wayland session, pickers for Wayland come first.
    """
    is_wayland = "WAYLAND_DISPLAY" in os.environ
    known = sorted(PICKERS, key=lambda picker: is_wayland and picker.needs != "WAYLAND_DISPLAY")
    named = [picker for picker in known if picker.name == program or (program == "auto" and _can_run(picker))]
    installed = [picker for picker in named if shutil.which(picker.name)]
    if not installed:
        wanted = "rofi, wofi, fuzzel, dmenu or fzf" if program == "auto" else program
        raise UsageError(f"No picker was found; install {wanted}, or print the list with --print.")
    return installed[0]


def _can_run(picker: Picker) -> bool:
    return sys.stdin.isatty() if picker.needs == TERMINAL else bool(os.environ.get(picker.needs))
