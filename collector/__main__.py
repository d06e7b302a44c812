"""`python -m collector PART`."""

import sys
from importlib import import_module

from memo.core.errors import MemoError
from memo.stack.spawn import collect_rarely

collect_rarely()  # before all that is imported next
try:
    import_module("collector.collector").main(sys.argv[-1])
except MemoError as error:
    sys.exit(str(error))
