from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event as Flag
from threading import current_thread

from memo.core.events import Action, Event, Operation
from worker.predictors.language_model.time_limited_reader import TimeLimitedReader
from worker.predictors.mixed import MixedPredictor
from worker.predictors.reader import Scores

A = Action(Operation.PROCESS_START, "a")
EVENT = Event(datetime(2026, 3, 2, 9, tzinfo=UTC), A.operation, A.target)


@dataclass
class Slow:
    """A language model that answers once it may."""

    may: Flag = field(default_factory=Flag)
    read_so_far: int = 0
    is_quick: bool = False
    lags: bool = False
    asked_in: str = ""  # the name of the thread

    def read(self, event: Event) -> None:
        self.read_so_far += 1

    def scores(self) -> Scores:
        self.asked_in = current_thread().name
        self.may.wait(30)
        return Scores({A: -0.1}, -2.0)

    def prepare(self) -> None:
        raise AssertionError("there was no work ahead")


def test_one_in_time_is_heard() -> None:
    slow = Slow()
    slow.may.set()
    patient = TimeLimitedReader(slow, limit_s=30)
    for reads in (1, 2):
        patient.read(EVENT)
        assert patient.scores() == Scores({A: -0.1}, -2.0)
        assert slow.read_so_far == reads
    assert patient.late == 0


def test_only_a_slow_answer_is_waited_for_in_a_thread() -> None:
    one = Slow()
    one.may.set()
    patient = TimeLimitedReader(one, limit_s=30)
    for one.is_quick in (True, False):
        assert patient.scores() == Scores({A: -0.1}, -2.0)
        assert (one.asked_in == current_thread().name) is one.is_quick


def test_one_that_is_late_is_counted_and_heard_again_later() -> None:
    slow = Slow()
    patient = TimeLimitedReader(slow, limit_s=0.01)
    predictor = MixedPredictor(patient)
    for late in (1, 2):
        predictor.learn(EVENT)
        assert predictor.predict([EVENT], 5).candidates[0].action == A, "history answers"
        assert patient.late == late
    slow.may.set()
    patient._limit_s = 30
    predictor.learn(EVENT)
    predictor.predict([EVENT], 5)
    assert (patient.late, slow.read_so_far) == (2, 3), "no event was missed"


def test_one_that_fails_is_asked_no_more_and_history_answers() -> None:
    class Broken(Slow):
        def scores(self) -> Scores:
            raise RuntimeError("broken")

    broken = Broken()
    predictor = MixedPredictor(TimeLimitedReader(broken, limit_s=30))
    for _ in range(3):
        predictor.learn(EVENT)
        assert predictor.predict([EVENT], 5).candidates[0].action == A
    assert broken.read_so_far == 1


def test_one_that_has_answered_works_ahead_until_asked_again() -> None:
    @dataclass
    class Busy(Slow):
        prepares: Flag = field(default_factory=Flag)

        def prepare(self) -> None:
            self.prepares.set()

    busy = Busy(lags=True)
    busy.may.set()
    patient = TimeLimitedReader(busy, limit_s=30)
    for reads in (1, 2, 3):
        patient.read(EVENT)
        assert patient.scores() == Scores({A: -0.1}, -2.0)
        assert busy.read_so_far == reads, "no event is read within a part"
        assert busy.prepares.wait(30)
        busy.prepares.clear()
    patient._is_asked.set()
    assert patient._job is not None
    patient._job.result(30)


def test_one_that_fails_ahead_is_asked_no_more() -> None:
    class Broken(Slow):
        def prepare(self) -> None:
            raise RuntimeError("broken")

    broken = Broken(lags=True)
    broken.may.set()
    patient = TimeLimitedReader(broken, limit_s=30)
    assert patient.scores() == Scores({A: -0.1}, -2.0)
    assert patient._job is not None
    assert isinstance(patient._job.exception(30), RuntimeError)
    assert patient.scores() == patient.scores() == Scores()
