"""Start predicted apps, sites and files: by an argument list, never through a shell, never from a title."""

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from uuid import uuid4

import psutil
from sqlalchemy.orm import Session

from memo.core.errors import MemoError, UsageError
from memo.core.events import Action, Operation
from memo.core.paths import Home, given_umask, refuse_foreign
from memo.core.predictions import Candidate
from memo.core.settings import PREFIX, Settings
from memo.desktop.apps import RUNS_OTHERS, find_apps
from memo.desktop.exec_line import arguments
from memo.protocols import NothingToDo
from memo.service.startup_files import STARTED, UNDER_SYSTEMD
from worker.effects.public_host import NoHost, host_of
from worker.effects.seen_before import SeenBefore

OPENER = "xdg-open"
DETACHER = "setsid"
ASKED = "memo-asked-"  # begins the name of the unit of what a person wished to start
_SHELL = re.compile(r"(ba|da|z|k|fi|t?c|r|a)?sh|busybox")


class NotStarted(MemoError):
    """MEMO may not start it."""


class Launcher:
    """Starts predicted apps, sites and files of this machine's own scope that were seen there before."""

    def __init__(self, settings: Settings, home: Home, session: Session | None = None) -> None:
        self._seen, self.apps = SeenBefore(settings, home, session), find_apps()

    def command(self, candidate: Candidate, scope: str) -> list[str]:
        """Return the command to run. Raises MemoError with the reason if nothing may be started."""
        self._seen.check(candidate.action, scope)
        return self.find_command(candidate.action)

    def find_command(self, action: Action) -> list[str]:
        """Return the command for an action that was seen here. Raises NotStarted with the reason if there is none."""
        if action.operation is Operation.PROCESS_START:
            return self._installed(action.target) or self._seen_running(action.target)
        if action.operation is Operation.WEB_VISIT:
            return [_opener(), _address(action.target)]
        if action.operation is Operation.FILE_ACCESS:
            return [_opener(), _document(action)]
        if action.operation is Operation.WINDOW_FOCUS and (command := self._installed(action.place)):
            return command
        raise NotStarted("only apps, sites and files can be started")

    def _installed(self, app: str) -> list[str]:
        """Return the command of the app's desktop entry; empty if it has none."""
        entry = self.apps.entry(app)
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
        """Return the program that was seen, not the one that the prediction names; upcoming candidates name none."""
        path = self._seen.executable(app)
        if not os.path.isabs(path) or RUNS_OTHERS.fullmatch(os.path.basename(path)):
            raise NotStarted("MEMO knows no program that runs this app alone")
        if os.path.realpath(path) != path:
            raise NotStarted("its program is no longer where it was")
        return [_program(path)]

    def check_absent(self, action: Action, command: list[str]) -> None:
        """Raise NothingToDo if an action would start an app that runs."""
        if action.operation is Operation.PROCESS_START and self._runs(action.target, command):
            raise NothingToDo("the app runs already")

    def _runs(self, app: str, command: list[str]) -> bool:
        """Return whether an app with this command already runs under this user."""
        for process in psutil.process_iter(["uids", "exe", "cmdline"]):
            uids, path = process.info["uids"], process.info["exe"]
            is_own = path and uids and uids.real == os.getuid()
            if is_own and ([path] == command or app == self.apps.of_process(path, process.info["cmdline"] or ())):
                return True
        return False

    def start(self, command: list[str]) -> int:
        """Start the command as MEMO's own act; return its process id, or that of systemd-run, which starts it.

        No event is stored for a child of MEMO or such a unit: it learns nothing from what it did by itself.
        """
        return self._spawn(_in_unit(STARTED, command) if UNDER_SYSTEMD in os.environ else command)

    def start_as_asked(self, command: list[str]) -> None:
        """Start the command as no child of MEMO, because it was the person's wish: it counts as their action."""
        is_service = UNDER_SYSTEMD in os.environ
        self._spawn(_in_unit(ASKED, command) if is_service else [_program(DETACHER), "--fork", *command])

    def _spawn(self, command: list[str]) -> int:
        """Start the command in a session of its own, in the person's home directory; return its process id."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=Path.home(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            umask=given_umask(),
        )
        threading.Thread(target=process.wait, daemon=True).start()  # otherwise it would remain as a zombie
        return process.pid


def _in_unit(name: str, command: list[str]) -> list[str]:
    """Return the command by which systemd starts an app: a child of MEMO's service would inherit what that may not do.

    What the app leaves running when its first process ends goes on.
    """
    options = ["--user", "--quiet", "--collect", "--property=KillMode=process", f"--working-directory={Path.home()}"]
    program, *given = command
    words = [word.replace("$", "$$") for word in given]  # otherwise it would replace variables in them
    return [_program("systemd-run"), *options, f"--unit={name}{uuid4().hex}", "--", program, *words]


def _opener() -> str:
    try:
        return _program(OPENER)
    except NotStarted as error:
        raise NotStarted(f"{OPENER} can't be used ({error}); install the package xdg-utils") from error


def _address(site: str) -> str:
    """Return the address of a site with a public name."""
    try:
        return f"https://{host_of(site)}/"
    except NoHost as error:
        raise NotStarted(str(error)) from error


def _document(action: Action) -> str:
    """Return the path of a document that is where it was seen, and neither a link nor a program."""
    path = os.path.join(action.place, action.target)
    if not os.path.isabs(path) or os.path.realpath(path) != path or not os.path.isfile(path):
        raise NotStarted("the file is not where it was seen")
    if os.access(path, os.X_OK) or path.endswith(".desktop"):
        raise NotStarted("the file is a program")
    return path


def _program(name: str) -> str:
    """Return the path of a program, given by name or path, that only its owner can have changed."""
    path = shutil.which(name)
    if not path or not os.path.isfile(path):
        raise NotStarted("its program is not on this machine")
    _check(Path(path).absolute())
    return path


def _check(path: Path) -> None:
    """Raise NotStarted if other users can write to a file or replace it."""
    try:
        refuse_foreign(path)
    except UsageError as error:
        raise NotStarted("other users can change its program") from error
