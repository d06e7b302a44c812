"""Words for the terminal."""

import os
import re
import sys

from memo.core.events import Action, Operation
from memo.core.grammar import Language

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

_REASONS: dict[str, tuple[str, str]] = {
    "frequency": ("how often it comes at all", "它出现的次数"),
    "coarse_frequency": ("how often its app, site or folder comes", "它的应用、网站或文件夹出现的次数"),
    "after_actions": ("what followed the last three actions", "最近三个动作之后发生过什么"),
    "after_coarse_lately": ("what followed the last two apps or sites of late", "最近两个应用或网站之后近来发生过什么"),
    "after_coarse_and_gap": ("what followed the last two after such a pause", "这样的间隔之后发生过什么"),
    "after_coarse_and_age": ("what followed the last one after such an absence", "隔了这么久之后发生过什么"),
    "after_coarse_and_run": ("what followed so many repeats", "这样多次重复之后发生过什么"),
    "after_operations": ("what kind of action followed the last seven", "最近七个动作之后是哪一类动作"),
    "after_operations_and_gap": ("what kind of action followed such a pause", "这样的间隔之后是哪一类动作"),
    "after_human_within_operation": ("what followed your last own action", "你上一个动作之后发生过什么"),
    "within_coarse": ("its share of late in its app, site or folder", "近来它在其应用、网站或文件夹中的份额"),
    "recency_within_operation": ("how recently it came", "它最近出现的时间"),
    "recency_of_coarse": ("how recently its app, site or folder came", "它的应用、网站或文件夹最近出现的时间"),
    "repeats": ("that the last action repeats", "上一个动作在重复"),
    "repeats_coarse": ("that the last app or site repeats", "上一个应用或网站在重复"),
    "open": ("how many of the app are open", "该应用打开的数量"),
    "focus": ("the app in front", "当前窗口的应用"),
    "process_of_focus": ("that the app in front starts and ends processes", "当前应用的进程在启动和结束"),
    "same_app": ("that it is of the same app as the last action", "它与上一个动作属于同一应用"),
    "feedback": ("what you answered to such a suggestion", "你对这样的建议的回答"),
    "language_model": ("the language model", "语言模型"),
    "not_in_language_model": ("what the language model has before it", "语言模型所见的内容"),
}
"""What a column of the predictor's stands for, in English and in Chinese."""


_CHINESE = {
    "came true": "实际发生",
    "events": "事件",
    "model": "模型",
    "new": "新",
    "next": "下一步",
    "not known yet": "尚不知道",
    "nothing to say yet": "暂无预测",
    "predicted": "预测的动作",
    "predictions": "预测",
    "probability": "概率",
    "rank": "名次",
    "rejected lines": "无法读取的行",
    "something new": "新的动作",
    "time": "时间",
    "version": "版本",
    "what comes next, the likeliest first": "接下来的动作，最可能的在前",
    "what happened": "发生的动作",
}
"""Headings and other short words, by their English."""


def describe(english: str, language: Language) -> str:
    """A heading or another short word in that language."""
    return _CHINESE[english] if language == "zh" else english


def reason(column: str, language: Language) -> str:
    """What a column of the predictor's stands for."""
    return _REASONS[column][language == "zh"]


def print_line(text: str) -> None:
    """Print a line in one write: `print` writes the newline apart, so that two threads mix their lines."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_no_more() -> None:
    """Whoever read our output has gone: what is still to be written goes nowhere, at exit too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def safe(text: str) -> str:
    """The text without anything that a terminal would act on."""
    return _HARMFUL.sub(" ", text)


def short(action: Action, language: Language) -> str:
    """An action in few words, the telling one first: a window by its app, then its title."""
    named = f"{action.place}: {action.target}" if action.operation is Operation.WINDOW_FOCUS and action.place else ""
    return safe(f"{_SHORT[language][action.operation]} {named or action.target}")
