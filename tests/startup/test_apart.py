"""A function that is called in a process of its own returns and raises what it would here."""

import os

import pytest

from memo.core.errors import MemoError, UsageError
from training.apart import call_apart
from training.evaluation.report import first_asked


def test_result_comes_from_another_process() -> None:
    assert call_apart(os.getpid) not in (0, os.getpid())
    assert call_apart(sorted, "cab", reverse=True) == ["c", "b", "a"]


def test_what_is_printed_is_no_result() -> None:
    assert call_apart(print, "a library's warning") is None


def test_error_is_raised_in_the_caller() -> None:
    with pytest.raises(UsageError, match="One window can't be divided"):
        call_apart(first_asked, [])


def test_process_that_is_ended_is_named() -> None:
    with pytest.raises(MemoError, match=r"ended early \(status 9\), as when memory runs out"):
        call_apart(os._exit, 9)
