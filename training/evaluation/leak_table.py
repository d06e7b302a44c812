"""The look-up table that a random split rewards: it copies what stands literally in another window."""

from collections import Counter
from collections.abc import Sequence

from training.evaluation.questions import Question


class LeakTable:
    """For each run of lines seen in training windows, the line that came after it."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._after: dict[tuple[str, ...], str] = {}
        for question in questions:
            lines = [*question.prompt.split("\n"), question.reference]
            for end in range(1, len(lines)):
                for begin in range(end):
                    self._after[tuple(lines[begin:end])] = lines[end]
        outputs = Counter(question.reference for question in questions)
        self._commonest = outputs.most_common(1)[0][0] if outputs else ""

    def answer(self, prompt: str) -> str:
        """The line seen after the longest end of the window; the most common output where none was seen."""
        lines = prompt.split("\n")
        ends = (tuple(lines[begin:]) for begin in range(len(lines)))
        return next((self._after[end] for end in ends if end in self._after), self._commonest)
