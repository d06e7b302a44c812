"""Errors a person may see: one sentence that names the thing and what to do."""


class MemoError(Exception):
    """Something failed; the command line prints the sentence and exits with 1."""

    exit_code = 1


class UsageError(MemoError):
    """The request itself is wrong; the command line prints the sentence and exits with 2."""

    exit_code = 2


class GrammarError(MemoError, ValueError):
    """A line that is no event line."""
