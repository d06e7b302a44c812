"""Words for the terminal."""

import re

from memo.events import Action, Operation
from memo.grammar import Language

_HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters, which terminals obey, marks that reorder or break a line, and unpaired surrogates."""

_SHORT: dict[Language, dict[Operation, str]] = {
    "en": {
        Operation.PROCESS_START: "start",
        Operation.PROCESS_END: "close",
        Operation.WINDOW_FOCUS: "focus",
        Operation.WEB_VISIT: "visit",
        Operation.FILE_ACCESS: "open",
        Operation.APP_USAGE: "use",
        Operation.SESSION_START: "session",
        Operation.TIME_CONTEXT: "time",
    },
    "zh": {
        Operation.PROCESS_START: "启动",
        Operation.PROCESS_END: "关闭",
        Operation.WINDOW_FOCUS: "切换",
        Operation.WEB_VISIT: "访问",
        Operation.FILE_ACCESS: "打开",
        Operation.APP_USAGE: "使用",
        Operation.SESSION_START: "会话",
        Operation.TIME_CONTEXT: "时间",
    },
}


def safe(text: str) -> str:
    """The text without anything that a terminal would act on."""
    return _HARMFUL.sub(" ", text)


def short(action: Action, language: Language) -> str:
    """An action in few words, the telling one first: a window by its app, then its title."""
    named = f"{action.place}: {action.target}" if action.operation is Operation.WINDOW_FOCUS and action.place else ""
    return safe(f"{_SHORT[language][action.operation]} {named or action.target}")
