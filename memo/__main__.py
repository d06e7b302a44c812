"""The command `memo`: MEMO's own packages come first on the path, whatever stands in PYTHONPATH or the folder."""

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Run the command line."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import_module("cli").main()


if __name__ == "__main__":
    main()
