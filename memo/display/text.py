"""Words for people: actions, headings and reasons, in English and Chinese."""

import re

from memo.core.events import Action, Operation
from memo.core.grammar import Language

LONGEST_SHORT = 80  # characters of an action in a few words
# control characters, which terminals obey; marks that reorder or break a line; unpaired surrogates
_HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

_SHORT: dict[Operation, tuple[str, str]] = {
    Operation.PROCESS_START: ("start", "启动"),
    Operation.PROCESS_END: ("close", "关闭"),
    Operation.WINDOW_FOCUS: ("focus", "切换"),
    Operation.WEB_VISIT: ("visit", "访问"),
    Operation.FILE_ACCESS: ("use", "使用"),  # opened, or opened or saved next
    Operation.FILE_SAVE: ("save", "保存"),
    Operation.APP_USAGE: ("use", "使用"),
    Operation.SESSION_START: ("session", "会话"),
    Operation.TIME_CONTEXT: ("time", "时间"),
}

# features of the predictor, as `memo why` explains them
_REASONS: dict[str, tuple[str, str]] = {
    "frequency": ("how often it happens", "它发生的频率"),
    "coarse_frequency": ("how often its app, site or folder is used", "它的应用、网站或文件夹被使用的频率"),
    "after_actions": ("what usually follows the last three actions", "最近三个动作之后通常发生什么"),
    "after_coarse_lately": (
        "what recently followed the last two apps or sites",
        "近来最近两个应用或网站之后发生过什么",
    ),
    "after_coarse_and_gap": (
        "what follows the last two apps or sites after a pause this long",
        "最近两个应用或网站之后，隔了这么久通常发生什么",
    ),
    "after_coarse_and_age": (
        "what follows the last app or site when this much time has passed since its previous use",
        "上一个应用或网站在相隔这么久后再次出现时，其后通常发生什么",
    ),
    "after_coarse_and_run": ("what follows this many repeats", "重复这么多次之后通常发生什么"),
    "after_operations": ("which kind of action follows the last seven", "最近七个动作之后通常是哪一类动作"),
    "after_operations_and_gap": ("which kind of action follows a pause this long", "停顿这么久之后通常是哪一类动作"),
    "after_human_within_operation": ("what follows the last action of your own", "你自己的上一个动作之后通常发生什么"),
    "within_coarse": ("its recent share within its app, site or folder", "近来它在其应用、网站或文件夹中所占的份额"),
    "recency_within_operation": ("how recently it happened", "它上次发生距今多久"),
    "repeats": ("that it repeats the last action", "它重复上一个动作"),
    "repeats_coarse": ("that it repeats the last app or site", "它重复上一个应用或网站"),
    "open": ("how many of the app are open", "该应用打开的数量"),
    "focus": ("the app in front", "当前窗口的应用"),
    "process_of_focus": ("that the app in front starts and ends processes", "当前应用正在启动和结束进程"),
    "same_app": ("that it belongs to the same app as the last action", "它与上一个动作属于同一应用"),
    "recency": ("how recently you used it", "你上次使用它距今多久"),
    "recency_after_ranks": (
        "how far back you go after moves like your last three",
        "像最近三次那样之后，你通常回到多早的地方",
    ),
    "frequency_3": ("how often you used it in the last few actions", "你在最近几个动作中使用它的次数"),
    "frequency_30": ("how often you used it in the last dozens of actions", "你在最近几十个动作中使用它的次数"),
    "frequency_100": ("how often you used it in the last hundreds of actions", "你在最近几百个动作中使用它的次数"),
    "return_by_time": ("how often you return after a time this long", "相隔这么久之后你返回的频率"),
    "own_return_by_time": ("how often you return to it after a time this long", "相隔这么久之后你返回它的频率"),
    "return_by_steps": ("how often you return after this many actions", "隔了这么多动作之后你返回的频率"),
    "own_return_by_steps": ("how often you return to it after this many actions", "隔了这么多动作之后你返回它的频率"),
    "recency_and_successor": (
        "how recently you used it and how often it followed",
        "你多久前使用过它，以及它接着出现的次数",
    ),
    "is_before_last": ("that you were there just before", "你刚才就在那里"),
    "in_session": ("how often you used it in this session", "你在本次会话中使用它的次数"),
    "last": ("what usually follows the last one", "上一个之后通常是什么"),
    "last_lately": ("what recently followed the last one", "近来上一个之后是什么"),
    "last_two": ("what follows the last two", "最近两个之后通常是什么"),
    "last_three": ("what follows the last three", "最近三个之后通常是什么"),
    "last_three_and_run": ("what follows the last three after a stay this long", "最近三个之后停留这么久时通常是什么"),
    "last_thing": ("what follows the last window, page or file", "上一个窗口、网页或文件之后通常是什么"),
    "last_thing_and_run": (
        "what follows the last window, page or file after a stay this long",
        "上一个窗口、网页或文件之后停留这么久时通常是什么",
    ),
    "last_and_pause": ("what follows the last one after a pause this long", "上一个之后隔了这么久通常是什么"),
    "last_and_hours": ("what follows the last one at this time of day", "一天中的这个时候上一个之后通常是什么"),
    "before_last": ("what follows the one before the last", "再上一个之后通常是什么"),
    "last_and_stay_before": (
        "what follows the last one after a stay this long before",
        "此前停留这么久时上一个之后通常是什么",
    ),
    "last_place": ("what follows in the last app, site or folder", "在上一个应用、网站或文件夹中通常接着是什么"),
    "started": ("that the app has just started", "该应用刚刚启动"),
    "ended": ("that the app has ended", "该应用已经关闭"),
    "place": ("how likely its app, site or folder is", "它的应用、网站或文件夹的可能性"),
    "recency_in_place": (
        "how recently you used it within its app, site or folder",
        "你在其应用、网站或文件夹中上次使用它距今多久",
    ),
    "same_place": ("that it is in the same app, site or folder", "它在同一个应用、网站或文件夹中"),
    "successor_in_place": (
        "what usually follows within its app, site or folder",
        "在其应用、网站或文件夹中通常接着是什么",
    ),
    "same": ("that it is the same again", "它与上一个相同"),
    "feedback": ("your answers to this suggestion", "你对这条建议的回答"),
    "language_model": ("the language model", "语言模型"),
    "not_in_language_model": ("that the language model has not seen it recently", "语言模型最近没有见过它"),
}

_CHINESE = {
    "Each answer is in {}.": "每个回答都在 {} 中。",
    "{}, version {}, {} windows": "{}，版本 {}，{} 个窗口",
    "First hit: {} was foreseen, with rank {}.": "第一次命中：预见到了 {}，排在第 {} 位。",
    "ahead of": "领先于",
    "you did": "你实际做了",
    "coarse": "粗略",
    "ece": "校准误差",
    "events": "事件",
    "exact": "完全正确",
    "fine": "动作",
    "log-loss": "对数损失",
    "malformed": "格式错误",
    "model": "模型",
    "mrr": "平均倒数名次",
    "new": "新",
    "next": "下一步",
    "no prediction yet": "暂无预测",
    "not known yet": "尚不知道",
    "paused; `memo resume` ends it": "已暂停；用 `memo resume` 恢复",
    "paused until {}; `memo resume` ends it": "已暂停到 {}；用 `memo resume` 提前恢复",
    "stopped; `memo up` starts MEMO": "已停止；用 `memo up` 启动 MEMO",
    "recording again": "已恢复记录",
    "overall": "综合",
    "partial": "部分正确",
    "place": "所在处",
    "predicted": "预测你会做",
    "predictions": "预测",
    "probability": "概率",
    "questions": "问题数",
    "rank": "名次",
    "rejected lines": "被拒绝的行",
    "scope": "范围",
    "something new": "新的动作",
    "switch": "切换",
    "time": "时间",
    "upcoming": "即将用到",
    "upcoming ap": "即将发生的平均精度",
    "version": "版本",
    "what comes next, most likely first": "接下来的动作，最可能的在前",
    "what happened": "发生的动作",
    "what you do next": "你接下来做什么",
    "other event": "个其他事件",
    "other events": "个其他事件",
    "where": "在哪里",
}


def describe(english: str, language: Language) -> str:
    """Return a heading or another short text in that language."""
    return _CHINESE[english] if language == "zh" else english


def reason(feature: str, language: Language) -> str:
    """Return the explanation of a feature of the predictor."""
    return _REASONS[feature][language == "zh"]


def safe(text: str) -> str:
    """Return the text with a space for each character that a terminal would act on."""
    return _HARMFUL.sub(" ", text)


def short(action: Action, language: Language) -> str:
    """Return an action in a few words; a window is named by its app, then its title."""
    app = action.place if action.operation is Operation.WINDOW_FOCUS else ""
    words = safe(f"{_SHORT[action.operation][language == 'zh']} {': '.join(filter(None, (app, action.target)))}")
    return words if len(words) <= LONGEST_SHORT else f"{words[: LONGEST_SHORT - 1]}…"
