"""A wall clock for processes that are started with its settings, ahead of the machine's own or behind it."""

import subprocess
from datetime import timedelta
from pathlib import Path


class FalseClock:
    """Builds `clock.c` in a folder; needs a C compiler. The processes add what the clock was moved by."""

    def __init__(self, place: Path) -> None:
        self._file, self._library = place / "seconds", place / "clock.so"
        self.move(timedelta())
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self._library, source, "-ldl"], check=True)

    @property
    def settings(self) -> dict[str, str]:
        """Variables of the processes."""
        return {"LD_PRELOAD": str(self._library), "TEST_CLOCK": str(self._file)}

    def move(self, by: timedelta) -> None:
        """Let the processes be ahead of the machine's clock, by whole seconds."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{by.total_seconds():.0f}\n", encoding="ascii")
        new.replace(self._file)
