"""What a person is asked to have recorded: kinds of events, each with its sources, an example, and words for it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from memo.core.events import Event, Operation
from memo.core.grammar import Language
from memo.core.settings import FOCUS_SOURCES

AT = datetime(2026, 3, 2, 9, 15, 4, tzinfo=UTC)
ACTIVITYWATCH = "activitywatch"


@dataclass(frozen=True)
class RecordedKind:
    """A kind of events; `past` is the setting that says how many days of its past are imported first, if it has one."""

    sources: tuple[str, ...]
    examples: tuple[Event, ...]
    words: dict[Language, tuple[str, str]]
    """Its name for people, and what is recorded."""
    past: str = ""


WINDOWS = RecordedKind(
    (*FOCUS_SOURCES, "processes"),
    (
        Event(AT, Operation.WINDOW_FOCUS, "report.odt - LibreOffice Writer", app="libreoffice-writer"),
        Event(AT, Operation.PROCESS_START, "org.gnome.gedit"),
    ),
    {
        "en": (
            "windows and apps",
            "which window has the focus, for how long an app is used, and which apps start and end; never what you "
            "type or what is inside a window",
        ),
        "zh": (
            "窗口和应用",
            "当前是哪个窗口，应用用了多久，哪些应用启动和关闭；从不记录你输入了什么、窗口里显示什么",
        ),
    },
)
PAGES = RecordedKind(
    ("web",),
    (Event(AT, Operation.WEB_VISIT, "museum.example", detail="Opening hours"),),
    {
        "en": (
            "pages",
            "the site and the title of each page that you visit, from the history of your browsers; never its address "
            "nor what is on it, and nothing from private windows",
        ),
        "zh": (
            "网页",
            "你访问的每个网页的网站和标题，来自浏览器的历史；从不记录网址和网页内容，隐私窗口中的一概不记录",
        ),
    },
    "sources.web_days",
)
FILES = RecordedKind(
    ("recent", "folders"),
    (Event(AT, Operation.FILE_ACCESS, "report.odt", detail="/home/ada/Documents"),),
    {
        "en": (
            "files",
            "the name and the folder of each file that you open with a desktop program; never what is in it",
        ),
        "zh": ("文件", "你用桌面程序打开的每个文件的名称和文件夹；从不记录文件内容"),
    },
    "sources.recent_days",
)
KINDS = (WINDOWS, PAGES, FILES)
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "intro": "MEMO learns what you do and predicts what comes next. Nothing leaves this machine unless you say so. "
        "Choose what it records; the Enter key takes the answer in capitals.",
        "kind": "{}: {}.",
        "stored": "Stored, for example:",
        "record": "Record {}?",
        "import": "Import the last {} days first, so that predictions are useful at once?",
        "yes or no": "answer y for yes or n for no",
        "not yet": "Not possible yet: {}",
        "extension": "Under GNOME and KDE windows are seen only with the extension or script in {}; docs/sources.md "
        "says how to install it.",
        "activitywatch": "An ActivityWatch server runs on this machine ({}). It watches windows and pages itself, so "
        "recording both would count each of them twice.",
        "follow": "Take events from ActivityWatch?",
        "done": "Recorded: {}.",
        "nothing": "nothing but your lines in the inbox",
        "past": "Imported first: {}.",
        "days": "{} of the last {} days",
        "never": "Left out, whatever you chose, where MEMO recognises them: password managers, banks, private windows, "
        "and secrets in titles. "
        "`memo config edit` excludes more: privacy.apps, privacy.sites, privacy.folders and privacy.titles.",
        "file": "Your answers are in {}; `memo setup` asks again, and `memo pause` stops recording for a while.",
        "start": "Start MEMO with `memo up`, and see what it predicts with `memo watch`.",
        "restart": "MEMO runs with the former answers; run `memo down` and `memo up` to have it use these.",
        "next": "Now MEMO starts. Go on with your work: each thing that you do appears here, and after a few of them "
        "also what comes next.",
        "list": ", ",
    },
    "zh": {
        "intro": "MEMO 学习你做什么，并预测下一步。未经你同意，任何数据都不会离开本机。"
        "请选择它记录什么；按 Enter 即采用大写的回答（Y 为是，N 为否）。",
        "kind": "{}：{}。",
        "stored": "存储的内容，例如：",
        "record": "要记录{}吗？",
        "import": "要先导入最近 {} 天的吗？这样一开始就能给出有用的预测。",
        "yes or no": "请回答 y（是）或 n（否）",
        "not yet": "目前还不行：{}",
        "extension": "在 GNOME 和 KDE 下，只有装上 {} 中的扩展或脚本才能看到窗口；安装方法见 docs/sources.md。",
        "activitywatch": "本机运行着 ActivityWatch 服务器（{}）。它自己也观察窗口和网页，两者都记录会把每一个算两次。",
        "follow": "要从 ActivityWatch 获取事件吗？",
        "done": "将记录：{}。",
        "nothing": "只有你写进收件文件夹的行",
        "past": "首先导入：{}。",
        "days": "{}（最近 {} 天）",
        "never": "无论怎样选择，凡能识别的都不存储：密码管理器、银行、隐私窗口，以及标题中的机密。"
        "`memo config edit` 可排除更多：privacy.apps、privacy.sites、privacy.folders 和 privacy.titles。",
        "file": "你的回答在 {} 中；`memo setup` 可以重新回答，`memo pause` 暂停记录一段时间。",
        "start": "用 `memo up` 启动 MEMO，用 `memo watch` 查看它的预测。",
        "restart": "MEMO 正按以前的回答运行；`memo down` 和 `memo up` 之后采用新的回答。",
        "next": "现在启动 MEMO。请照常做你的事：你做的每件事会显示在这里，几件之后也会显示接下来是什么。",
        "list": "、",
    },
}
