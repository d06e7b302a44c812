"""`python -m scheduler`: do the upkeep that is due at low priority, in a process of its own."""

import os
from contextlib import closing

from memo.core import logs
from memo.core.paths import Home
from memo.stack.process_specs import end_with_parent

NICENESS = 10


def main() -> None:
    """Do what is due."""
    end_with_parent()
    os.nice(NICENESS)
    # imported late, as `end_with_parent` makes that cheaper
    from db.engine import open_store
    from memo.core.settings import Settings
    from scheduler import upkeep

    home = Home.find()
    logs.setup(home.logs, "upkeep")
    settings = Settings.load()
    with closing(open_store(settings, home)) as store:
        upkeep.run(settings, store)


if __name__ == "__main__":
    main()
