"""What of a prediction may be started on this machine, and how: an argument list, never a shell, never a title."""

import os
import re
import shutil
import stat
import subprocess
import threading
from pathlib import Path

import psutil

from memo.core.errors import MemoError
from memo.core.events import Action, Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.core.settings import PREFIX, Settings
from memo.desktop.apps import RUNS_OTHERS, Apps
from memo.desktop.exec_line import arguments
from worker.effects.public_host import host_of
from worker.effects.seen_before import SeenBefore

OPENER, DETACHER = "xdg-open", "setsid"
_SHELL = re.compile(r"(ba|da|z|k|fi|t?c|r|a)?sh|busybox")
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class NotStarted(MemoError):
    """It is nothing that MEMO may start."""


class Launcher:
    """Starts what was predicted of this machine's own scope, and was seen there before."""

    def __init__(self, settings: Settings, home: Home) -> None:
        self._seen, self._apps = SeenBefore(settings, home), Apps()

    def command(self, candidate: Candidate, scope: str) -> list[str]:
        """What would be run. Raises MemoError, which says why, where nothing may be."""
        action = candidate.action
        self._seen.check(action, scope)
        if action.operation is Operation.PROCESS_START:
            return self._installed(action.target) or self._seen_running(action.target)
        if action.operation is Operation.WEB_VISIT:
            return [_opener(), f"https://{host_of(action.target)}/"]
        if action.operation is Operation.FILE_ACCESS:
            return [_opener(), _document(action)]
        raise NotStarted("it is nothing that can be started")

    def _installed(self, app: str) -> list[str]:
        """The command of a desktop entry; empty where the app has none."""
        entry = self._apps.entry(app)
        if entry is None:
            return []
        try:
            program, *given = arguments(entry.line)
        except ValueError as error:
            raise NotStarted(f"its desktop entry can't be used: {error}") from error
        if entry.terminal or any(_SHELL.fullmatch(os.path.basename(word)) for word in (program, *given)):
            raise NotStarted("its desktop entry asks for a terminal or a shell")
        _check(entry.file)
        return [_program(program), *given]

    def _seen_running(self, app: str) -> list[str]:
        """By what was seen, not by what the prediction says: of what is upcoming it says nothing."""
        path = self._seen.executable(app)
        if not os.path.isabs(path) or RUNS_OTHERS.fullmatch(os.path.basename(path)):
            raise NotStarted("no program is known that is this app alone")
        if os.path.realpath(path) != path:
            raise NotStarted("its program is no longer where it was")
        return [_program(path)]

    def runs(self, app: str, command: list[str]) -> bool:
        """Whether an app with this command runs already under this user."""
        for process in psutil.process_iter(["uids", "exe", "cmdline"]):
            uids, path = process.info["uids"], process.info["exe"]
            own = path and uids and uids.real == os.getuid()
            if own and ([path] == command or app == self._apps.of_process(path, process.info["cmdline"] or ())):
                return True
        return False

    def start(self, command: list[str]) -> int:
        """Start it in a session of its own, in the person's home; its process id.

        As long as it is a child of MEMO's, its start is not told: nothing is learned from what MEMO did by itself.
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        none, home = subprocess.DEVNULL, Path.home()
        process = subprocess.Popen(
            command, env=environment, cwd=home, stdin=none, stdout=none, stderr=none, start_new_session=True
        )
        threading.Thread(target=process.wait, daemon=True).start()  # else it would stay as a zombie
        return process.pid

    def start_as_asked(self, command: list[str]) -> None:
        """Start it as no child of MEMO's, for it is the person who did it."""
        self.start([_program(DETACHER), "--fork", *command])


def _opener() -> str:
    try:
        return _program(OPENER)
    except NotStarted as error:
        raise NotStarted(f"{OPENER} can't be used ({error}); install the package xdg-utils") from error


def _document(action: Action) -> str:
    """The path of a document: as it was seen, no link, and nothing that could be run."""
    path = os.path.join(action.place, action.target)
    if not os.path.isabs(path) or os.path.realpath(path) != path or not os.path.isfile(path):
        raise NotStarted("the file is not where it was seen")
    if os.access(path, os.X_OK) or path.endswith(".desktop"):
        raise NotStarted("the file is a program")
    return path


def _program(name: str) -> str:
    """The path of a program, searched where it is only a name, which nobody but its owner could have changed."""
    path = shutil.which(name)
    if not path or not os.path.isfile(path):
        raise NotStarted("its program is not on this machine")
    _check(Path(path).absolute())
    return path


def _check(path: Path) -> None:
    """Raises NotStarted where others can write to a file, or put another in its place."""
    real = path.resolve()
    for place in {path, *path.parents, real, *real.parents}:
        found = place.stat()
        open_to_others = found.st_mode & _OTHERS and not found.st_mode & stat.S_ISVTX
        if open_to_others or found.st_uid not in (0, os.getuid()):
            raise NotStarted("others than you can change its program")
