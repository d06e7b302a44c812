"""How long to wait before something that ended is begun again."""

BACK_OFF_S = (1.0, 60.0)
"""First and longest pause."""


class Backoff:
    """Each pause is twice the one before, up to the longest; after a run longer than that it is the first one again."""

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest, self._pause = first, longest, first

    def after(self, ran_s: float) -> float:
        """Seconds to wait after a run of so many."""
        pause = self._first if ran_s > self._longest else self._pause
        self._pause = min(2 * pause, self._longest)
        return pause
