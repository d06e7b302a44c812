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
    "rank {}": "第 {} 位",
    "not foreseen": "没有预见",
    "foreseen": "预见到了",
    "Time": "时间",
    "Action": "动作",
    "Nothing is predicted yet.": "还没有预测。",
    "Something went wrong": "出了问题",
    "MEMO predicts once something is recorded.": "有了记录，MEMO 就会预测。",
    "History": "历史",
    "Span": "跨度",
    "day": "一天",
    "week": "一周",
    "month": "一个月",
    "Earlier": "更早",
    "Later": "更晚",
    "Nothing was recorded then.": "那时没有记录。",
    "{} acts, of which {} were foreseen among the first three.": "{} 个动作，其中 {} 个在前三位中预见到。",
    "Timeline": "时间线",
    "Hours of the week": "一周中的各小时",
    "Top apps, sites and files": "用得最多的应用、网站和文件",
    "App, site or file": "应用、网站或文件",
    "Mon": "周一",
    "Tue": "周二",
    "Wed": "周三",
    "Thu": "周四",
    "Fri": "周五",
    "Sat": "周六",
    "Sun": "周日",
    "Privacy": "隐私",
    "Model": "模型",
    "How often it is right": "有多常说对",
    "The next place was first in {}, and among the first three in {} of {} acts.": (
        "下一个去处排在第一位的占 {}，在前三位的占 {}，共 {} 个动作。"
    ),
    "Share of acts per day, {} to {}": "每天动作的份额，{} 到 {}",
    "Acts": "动作",
    "first": "第一位",
    "among three": "前三位",
    "Versions": "版本",
    "{} serves.": "正在使用 {}。",
    "The built-in version serves.": "正在使用内置版本。",
    "History alone serves, without the language model.": "仅使用历史，不用语言模型。",
    "Version": "版本",
    "Use": "使用",
    "Activate": "启用",
    "Use the built-in version": "使用内置版本",
    "Effects": "作用",
    "Handlers": "处理器",
    "Handler": "处理器",
    "Attempts": "行动",
    "Hits": "命中",
    "Waste": "浪费",
    "Read": "读取",
    "Saved": "节省",
    "Balance": "结余",
    "Remark": "说明",
    "App": "应用",
    "Site": "网站",
    "Operation": "操作",
    "Day": "每日",
    "Date": "日期",
    "any": "任意",
    "window_focus": "切换窗口",
    "web_visit": "访问网站",
    "file_access": "访问文件",
    "file_save": "保存文件",
    "Show": "显示",
    "What was expected": "曾预测",
    "Why": "为什么",
    "Nothing matches.": "没有相符的内容。",
    "Nothing else matches since {}. Older events were not searched yet.": (
        "自 {} 以来没有其他相符的内容；更早的事件还没有搜索。"
    ),
    "Older": "更早",
    "The first is ahead of the second because of:": "第一个排在第二个之前，原因是：",
    "What you do next": "你接下来做什么",
    "The next event of any kind": "接下来的任何事件",
    "Recording": "记录",
    "Until {}": "到 {}",
    "Pause": "暂停",
    "Resume": "继续",
    "Pause for": "暂停多久",
    "30 minutes": "30 分钟",
    "2 hours": "2 小时",
    "until I resume": "直到我继续",
    "Where events come from": "事件从哪里来",
    "Source": "来源",
    "State": "状态",
    "What it does or needs": "在做什么，或需要什么",
    "Removed or changed": "去掉或改写",
    "What the privacy rules removed or changed": "隐私规则去掉或改写了什么",
    "Rule": "规则",
    "What is never recorded": "从不记录什么",
    "Apps": "应用",
    "Sites": "网站",
    "Folders": "文件夹",
    "Titles (regular expressions)": "标题（正则表达式）",
    "One entry a line. A change is in force at once; what is stored already stays until you forget it, "
    "but versions trained on it are deleted.": (
        "每行一项。改动立刻生效；已经存下的要由你来忘记，但用它们训练的版本会删除。"
    ),
    "Save": "保存",
    "The newest event, as it is stored": "最新的事件，按存储的样子",
    "Nothing is stored yet.": "还没有存储任何内容。",
    "Events": "事件",
    "Last time": "最近一次",
    "No privacy rule has acted yet.": "还没有隐私规则起过作用。",
    "Forget": "忘记",
    "Text": "文字",
    "From day": "从哪天",
    "To day": "到哪天",
    "Show what matches": "显示相符的内容",
    "Where the files are": "文件在哪里",
    "File or folder": "文件或文件夹",
    "Size": "大小",
    "Changed": "修改时间",
    "Forget this for good?": "永远忘记这些？",
    "Events: {}; predictions: {}; attempts of handlers: {}; launches of apps: {}.": (
        "{} 个事件、{} 个预测、{} 次处理器的行动、{} 次应用启动。"
    ),
    "Of all {} predictions, {} others stay and lose only what names these events.": (
        "在全部 {} 个预测中，另有 {} 个保留下来，只去掉提到它们的内容。"
    ),
    "For example:": "例如：",
    "What was learned from them, MEMO's logs and backups of the store are deleted too.": (
        "从中学到的内容、MEMO 的日志和数据库的备份也会删除。"
    ),
    "Trained on them, and deleted too: {}.": "用它们训练的版本也会删除：{}。",
    "Trained on what is excluded now, and deleted: {}.": "用现在排除的内容训练的版本已删除：{}。",
    "Keep it": "保留",
    "Forgotten": "已忘记",
    "Switch": "开关",
    "In vain": "白读",
    "{} s saved, and {} read in vain.": "节省了 {} 秒，白读了 {}。",
    "A dry handler is counted and does nothing. A switch is in force at once.": (
        "试运行的处理器只计数，什么也不做。开关立刻生效。"
    ),
    "Never suggested again": "不再建议的",
    "Since": "自",
    "Suggest it again": "重新建议",
    "Nothing: you answered Never to no suggestion.": "没有：你还没有对任何建议说过“永不”。",
    "Person and machine": "人和机器",
    "Newest": "最新",
    "Save all of these as CSV": "把这些全部存为 CSV",
    "In the newest {} acts it was first in {}, and among the first three in {}.": (
        "在最近 {} 个动作中，第一位占 {}，前三位占 {}。"
    ),
    "The simplest rule, the most recent place first, would have had {} and {}.": (
        "最简单的规则（最近去过的在前）会是 {} 和 {}。"
    ),
    "Compared with the simplest rule": "与最简单的规则相比",
    "first by the rule": "按规则第一位",
    "among three by the rule": "按规则前三位",
    "How well its probabilities match what happens": "它说的概率是否属实",
    "Each dot is a tenth of the newest acts; to the right, the probability of the first place.": (
        "每个点是最近动作的十分之一；越靠右，第一位的概率越高。"
    ),
    "Upwards, how often it came. On the line, both are the same.": "越靠上，它实际出现得越多。在线上，两者相同。",
    "{} said, {} came": "说 {}，实际 {}",
    "Roll back": "回到前一个版本",
    "How {} was judged": "{} 是怎样评判的",
    "Trained on {} events, and asked for the next place at {} acts that trained no version.": (
        "用 {} 个事件训练；在没有参与任何版本训练的 {} 个动作上询问下一个去处。"
    ),
    "counting alone": "仅靠计数",
    "this version": "这个版本",
    "the one before": "之前的版本",
    "the best simple rule": "最好的简单规则",
    "How it was before": "以前是怎样的",
    "After the same actions, the likeliest event followed {} of {} times.": (
        "在同样的动作之后，最可能的事件出现了 {} 次，共 {} 次机会。"
    ),
}


_NAMES = {
    "apps": "应用",
    "sites": "网站",
    "folders": "文件夹",
    "titles": "标题",
    "builtin": "内置规则",
    "chromium_titles": "Chromium 的标题",
    "secrets": "机密",
    "titles_kept": "隐去标题",
    "paused": "暂停",
    "on": "开",
    "dry": "试运行",
    "off": "关",
    "missing": "缺少",
    "resting": "休息中",
    "watching": "在观察",
    "failed": "失败",
    "candidate": "候选",
    "active": "使用中",
    "retired": "已退役",
    "rejected": "未采用",
    "claimed": "进行中",
    "done": "已完成",
    "stopped": "被拦下",
    "overrun": "队列已满",
    "hit": "命中",
    "waste": "浪费",
}


def translate_name(name: str, language: Language) -> str:
    """Return a rule, a state or an outcome in that language; another release may have stored one that is not known."""
    return _NAMES.get(name, name) if language == "zh" else name


def translate(english: str, *given: object, language: Language) -> str:
    """Return a text in that language, with what is given in its braces."""
    text = _CHINESE[english] if language == "zh" else english
    return text.format(*given) if given else text
