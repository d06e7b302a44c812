"""`memo uninstall`: remove everything of MEMO's but the program itself."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cli.stack import service
from cli.stack.down import down
from cli.terminal.options import Yes, confirm
from cli.terminal.output import print_text
from memo.core.errors import MemoError, UsageError
from memo.core.files import find_files
from memo.core.paths import Home
from memo.service import owned_file
from memo.service.startup_files import find_installed
from ui import link

STORE = "memo.db"  # begins the names of the store's files


def uninstall(yes: Yes = False) -> None:
    """Show what MEMO has stored and installed, with sizes, and ask; then stop MEMO and delete all of that.

    The program stays, and so do files that MEMO did not make, such as yours in the inbox, and databases and brokers
    named by URL.
    """
    home = Home.find()
    own, started = list(_find_own(home)), find_installed()
    if Path.home().is_relative_to(home.root):
        raise UsageError(
            f"MEMO_HOME is {home.root}, where files of yours may have MEMO's names; delete MEMO's yourself."
        )
    for path in started:
        owned_file.refuse_changed(path)
    for path in [*own, *started]:
        size = 0 if path.is_symlink() else sum(state.st_size for _, state in find_files(path))
        print_text(f"{size / 1e6:10.1f} MB  {path}")
    if not yes:
        confirm("Delete all of this?", done="deleted", does="deletes it")
    down()
    link.end(home)
    if started:
        service.uninstall()
    _delete(home, list(_find_own(home)))  # again, as MEMO made files until it stopped
    left = sorted(os.listdir(home.root)) if home.root.exists() else []
    print_text(
        f"MEMO is removed, but {home.root} stays, with files that are not MEMO's: {', '.join(left)}."
        if left
        else "MEMO is removed; delete the folder of the program, too, if you no longer need it."
    )


def _find_own(home: Home) -> Iterator[Path]:
    """Yield what MEMO made; an inbox only if nothing of the person's is in it."""
    for path in sorted(home.root.iterdir()):
        is_named = path.name in Home.names() or path.name.startswith((STORE, home.recorded.name))
        if is_named and path != home.config and not (path == home.inbox and _has_files(path)):
            yield path
    if os.path.lexists(home.config):
        yield home.config


def _has_files(folder: Path) -> bool:
    return folder.is_symlink() or any(files for _, _, files in os.walk(folder))


def _delete(home: Home, own: list[Path]) -> None:
    """Delete files and folders, and those that held them if nothing else does. Raises MemoError if one can't be."""
    for path in own:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise MemoError(f"{path} can't be deleted ({error.strerror}); run `memo uninstall` again.") from error
    home.remove_memory()
    for folder in dict.fromkeys((home.config.parent, home.root)):
        with suppress(OSError):  # something else is in it
            folder.rmdir()
