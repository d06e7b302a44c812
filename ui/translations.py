"""The words of the page in Chinese; the English ones are in the templates."""

from memo.core.grammar import Language

_CHINESE = {
    "Now": "现在",
    "Skip to the content": "跳到内容",
    "Views": "页面",
    "Recording is paused.": "记录已暂停。",
    "You are here": "你在这里",
    "Where you probably go next": "你接下来可能去哪里",
    "Nothing else is known yet.": "目前还不知道别的去处。",
    "Yes": "对",
    "Not this": "不是这个",
    "Never": "永不",
    "about": "大约",
    "What was done about it": "为此做了什么",
    "Nothing was done about it.": "没有为此做任何事。",
    "What you did": "你做过什么",
    "Was it foreseen?": "预见到了吗？",
    "in place {}": "第 {} 位",
    "not foreseen": "没有预见",
    "foreseen": "预见到了",
    "Time": "时间",
    "Action": "动作",
    "Nothing is predicted yet.": "还没有预测。",
    "Something went wrong": "出了问题",
    "There is no such page.": "没有这个页面。",
    "MEMO predicts once something is recorded; `memo status` shows whether it runs.": (
        "有了记录，MEMO 就会预测；`memo status` 显示它是否在运行。"
    ),
    "Your answers": "你的回答",
}


def translate(english: str, *given: object, language: Language) -> str:
    """Return a text in that language, with what is given in its braces."""
    text = _CHINESE[english] if language == "zh" else english
    return text.format(*given) if given else text
