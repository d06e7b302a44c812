"""Errors that a person may see: one sentence that names the thing, the reason and the remedy."""


class MemoError(Exception):
    """A failure; the command line prints the sentence and exits with 1."""

    exit_code = 1


class UsageError(MemoError):
    """A wrong request; the command line prints the sentence and exits with 2."""

    exit_code = 2


class GrammarError(MemoError, ValueError):
    """A line that is not an event line."""
