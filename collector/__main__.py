"""`python -m collector PART`."""

import sys

from collector.collector import main
from memo.core.errors import MemoError

try:
    main(sys.argv[-1])
except MemoError as error:
    sys.exit(str(error))
