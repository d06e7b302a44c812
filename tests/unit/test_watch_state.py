"""What `memo watch` says while nothing is recorded."""

from datetime import timedelta
from queue import Queue

import pytest
from waiting import WAIT_S

from cli.predictions import watch_state
from memo.clock import pauses
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running


@pytest.mark.parametrize(("language", "paused", "stopped"), [("en", "paused", "stopped"), ("zh", "暂停", "停止")])
def test_state_says_paused_until_when_and_stopped(home: Home, language: Language, paused: str, stopped: str) -> None:
    settings = Settings(language=language)
    state = watch_state.recording_state(home, settings)
    assert stopped in state and "`memo up`" in state
    with running.hold(home):
        assert watch_state.recording_state(home, settings) == ""
        pause = pauses.begin(home, timedelta(hours=1))
        state = watch_state.recording_state(home, settings)
        assert paused in state and f"{pause.until.astimezone(settings.zone):%H:%M:%S}" in state
        pauses.begin(home, None)
        assert "`memo resume`" in watch_state.recording_state(home, settings)


def test_stack_of_a_server_is_not_called_stopped(home: Home) -> None:
    assert watch_state.recording_state(home, Settings(broker_url="redis://broker.example")) == ""


def test_each_change_is_told_once(home: Home) -> None:
    told = Queue[str]()
    with running.hold(home), watch_state.changes_told(home, Settings(), told.put, poll_s=0.01):
        pauses.begin(home, None)
        assert "paused" in told.get(timeout=WAIT_S)
        pauses.end(home)
        assert told.get(timeout=WAIT_S) == "recording again"
    assert told.empty()


def test_a_closed_pipe_ends_the_telling(home: Home) -> None:
    """An exception of the thread would be a warning here, and a traceback to a person."""
    told = Queue[str]()

    def tell(words: str) -> None:
        told.put(words)
        raise BrokenPipeError

    with watch_state.changes_told(home, Settings(), tell):
        assert "stopped" in told.get(timeout=WAIT_S)
