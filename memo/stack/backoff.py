"""Delays between attempts to restart a process or a source, or to reach a server."""

BACK_OFF_S = (1.0, 60.0)  # first and longest delay before a source, or the process of a handler, restarts


class Backoff:
    """Delays in seconds that double from `first_s` up to `longest_s`; a success or a long run resets them."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    def delay_after(self, ran_s: float = 0.0) -> float:
        """Return the delay after a run of `ran_s` seconds; one longer than `longest_s` counts as a success."""
        delay_s = self._first_s if ran_s > self._longest_s else self._next_s
        self._next_s = min(2 * delay_s, self._longest_s)
        return delay_s

    def reset(self) -> None:
        """Begin with the first delay again."""
        self._next_s = self._first_s
