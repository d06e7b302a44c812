"""The command `memo`. It puts MEMO's own root first on the path, before PYTHONPATH and the working directory."""

import atexit
import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Run the command line."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import_module("memo.stack.spawn").collect_rarely()
    if sys.argv[1:] == ["pick"] and not sys.stdin.isatty():  # a key was pressed; a picker in a terminal needs that one
        _pick_at_once()
    import_module("cli").main()  # imported late, so that it is found on that path


def _pick_at_once() -> None:
    """Have the process that stands by show the list, and exit; without one, start it after this pick."""
    status = import_module("memo.stack.standby").ask()
    if status is not None:
        sys.exit(status)
    atexit.register(lambda: import_module("cli.pick.preloaded").start())


if __name__ == "__main__":
    main()
