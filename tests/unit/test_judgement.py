"""The judgement of versions, of answers written by hand, and of a predictor that has no language model."""

from datetime import UTC, datetime, timedelta

import pytest

from memo.core.events import Event, Operation
from training import judgement
from training.evaluation.person_views import NAMES, VIEWS, Outcome, Outcomes
from training.judgement import AnswerCost, PersonAnswers, answer, judge
from worker.predictors.mixed import MixedPredictor

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
QUESTIONS = 60
RULES = {"mru": AnswerCost(0.002, 1_000_000)}


def answers(
    truth: float, rank: int = 1, *, first: float = 1.0, rule: int | None = None, seconds: float = 0.01
) -> PersonAnswers:
    """Return the same answer many times; `rule` is the rank of the truth by each baseline."""
    outcome = Outcome({"memo": rank, **dict.fromkeys(NAMES, rule)}, first, truth)
    return PersonAnswers(Outcomes({view: [outcome] * QUESTIONS for view in VIEWS}), AnswerCost(seconds, 5_000_000))


def test_better_version_is_promoted_with_its_table() -> None:
    found = judge(answers(0.9), answers(0.5), answers(0.4), "v0001", RULES)
    assert found["promoted"] and found["reason"].startswith(
        "Promoted: its log-loss of the next place is 0.588 nats lower than that of v0001 (95 %: "
    )
    assert found["ahead"]["95"] == pytest.approx([0.588, 0.588], abs=1e-3)
    assert set(found["table"]["place"]) == {"candidate", "active", "history", *NAMES}
    assert found["table"]["switch"]["candidate"]["log_loss"] == pytest.approx(0.105, abs=1e-3)
    assert found["latency_ms"] == {"candidate": 10.0, "active": 10.0, "history": 10.0, "mru": 2.0}
    assert found["memory_mb"] == {"candidate": 5.0, "active": 5.0, "history": 5.0, "mru": 1.0}


def test_operations_have_scores_of_their_own() -> None:
    """The candidate is right about files, and wrong about sites, of which there are too few for figures."""
    rows = answers(0.9), answers(0.5), answers(0.4)
    for row in rows:
        visits = [
            one._replace(ranks=one.ranks | {"memo": 4}, operation=Operation.WEB_VISIT) for one in row.outcomes["fine"]
        ]
        files = [one._replace(operation=Operation.FILE_ACCESS) for one in row.outcomes["fine"]]
        row.outcomes["fine"][:] = [*files, *visits[:10]]
    table = judge(*rows, "builtin", RULES)["table"]
    assert table["fine, file_access"]["candidate"]["hit@1"] == 1.0
    assert table["fine, web_visit"] == {"n": 10}


@pytest.mark.parametrize(("before", "word"), [(0.9, "lower"), (0.95, "higher")])
def test_version_that_is_no_better_is_rejected(before: float, word: str) -> None:
    found = judge(answers(0.9), answers(before), answers(0.4), "builtin", RULES)
    assert not found["promoted"] and f"nats {word} than that of builtin" in found["reason"]
    assert found["reason"].endswith("so a gain is not certain.")


def test_gain_within_its_noise_is_rejected() -> None:
    good, bad = answers(0.9).outcomes["place"][0], answers(0.1).outcomes["place"][0]
    mixed = PersonAnswers(Outcomes({view: ([good] * 11 + [bad] * 9) * 3 for view in VIEWS}), AnswerCost(0.01))
    found = judge(mixed, answers(0.3), answers(0.3), "builtin", RULES)
    assert found["ahead"]["log_loss"] > 0 > found["ahead"]["95"][0]
    assert not found["promoted"]


@pytest.mark.parametrize(
    ("candidate", "history", "reason"),
    [
        (answers(0.9, 2, rule=1), answers(0.4, 4), "its hit@1 of fine is below that of mru"),
        (answers(0.9, 4), answers(0.4, 2), "its hit@3 of fine is below that of history"),
        (answers(0.9, first=0.5), answers(0.4), "its calibration error of fine is 0.500, more than 0.05 above 0.000"),
        (answers(0.9, seconds=0.3), answers(0.4), "its answers take 0.30 s"),
    ],
)
def test_version_below_a_floor_is_rejected(candidate: PersonAnswers, history: PersonAnswers, reason: str) -> None:
    found = judge(candidate, answers(0.5), history, "builtin", RULES)
    assert not found["promoted"] and found["reason"].startswith(f"Rejected: {reason}")


def test_view_of_few_questions_has_no_floor() -> None:
    views = answers(0.9).outcomes | {"switch": answers(0.9, 2, rule=1).outcomes["switch"][:5]}
    found = judge(PersonAnswers(views, AnswerCost(0.01)), answers(0.5), answers(0.4), "builtin", RULES)
    assert found["promoted"] and found["table"]["switch"] == {"n": 5}


def test_answers_are_what_a_person_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def event(n: int) -> Event:
        at = START + timedelta(minutes=n)
        noise = Event(at, Operation.PROCESS_START, f"p{n % 3}")
        return noise if n % 2 else Event(at, Operation.WINDOW_FOCUS, "t", "ABC"[n // 2 % 3])

    events = [event(n) for n in range(240)]
    monkeypatch.setattr(judgement, "RANKED", 200)
    found = answer(MixedPredictor(), events, 80)
    assert [len(found.outcomes[view]) for view in VIEWS] == [39, 39, 39]
    assert found.cost.seconds > 0
    last = found.outcomes["place"][-1]
    assert last.ranks["memo"] == 1 and 0.5 < last.truth <= 1
