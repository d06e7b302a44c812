"""A candidate as other programs get it: JSON by docs/schemas/candidate.v1.json."""

from dataclasses import replace

from memo.core.grammar import Language, clean
from memo.protocols import Action, Candidate, DispatchContext
from memo.store.json_text import encode

SCHEMA = "candidate.v1"


def payload(candidate: Candidate, context: DispatchContext, language: Language) -> bytes:
    """Return the candidate as JSON; its texts are cleaned and bounded once more."""
    action = candidate.action
    safe = replace(
        candidate,
        action=Action(action.operation, clean(action.target), clean(action.place)),
        detail=clean(candidate.detail),
        executable=clean(candidate.executable),
    )
    return encode(
        {
            "schema": SCHEMA,
            "prediction": context.prediction_id,
            "scope": context.scope,
            "made_at": context.made_at.isoformat(),
            "until": context.until.isoformat(),
            **safe.as_dict(language),
        }
    )
