"""The command `memo`. It puts MEMO's own root first on the path, before PYTHONPATH and the working directory."""

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Run the command line."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import_module("cli").main()  # imported late, so that it is found on that path


if __name__ == "__main__":
    main()
