"""Words of the synthetic people: names of apps, sites and files, and the words of titles."""

from typing import NamedTuple

from memo.core.grammar import Language


class Browser(NamedTuple):
    """A browser; `title` and `counted` are its window titles without and with the number of tabs."""

    exe: str
    title: str
    counted: str


BROWSERS: dict[Language, tuple[Browser, ...]] = {
    "en": (
        Browser("msedge.exe", "{page} - Microsoft Edge", "{page} and {n} more tabs - Microsoft Edge"),
        Browser("chrome.exe", "{page} - Google Chrome", "({n}) {page} - Google Chrome"),
        Browser("firefox.exe", "{page} — Mozilla Firefox", "{page} [{n}] — Mozilla Firefox"),
    ),
    "zh": (
        Browser("msedge.exe", "{page} - Microsoft Edge", "{page} 及其他 {n} 个标签页 - Microsoft Edge"),
        Browser("chrome.exe", "{page} - Google Chrome", "({n}) {page} - Google Chrome"),
        Browser("QQBrowser.exe", "{page} - QQ浏览器", "{page}（{n}个窗口）- QQ浏览器"),
    ),
}


class Tool(NamedTuple):
    """A desktop app: its executable, its titles ({file} {project} {topic} {name}), its file endings, its helpers."""

    exe: str
    title: str
    endings: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()


TOOLS: dict[str, tuple[Tool, ...]] = {
    "developer": (
        Tool("Code.exe", "{file} - {project} - Visual Studio Code", ("py", "ts", "md"), ("git.exe", "node.exe")),
        Tool("idea64.exe", "{project} – {file}", ("java", "kt", "xml"), ("java.exe", "git.exe")),
        Tool("WindowsTerminal.exe", "{project}: {name}", (), ("bash.exe", "ssh.exe")),
        Tool("dbeaver.exe", "{topic} - DBeaver", ("sql",), ()),
        Tool("Postman.exe", "Postman", (), ("Postman.exe",)),
    ),
    "office": (
        Tool("EXCEL.EXE", "{file} - Excel", ("xlsx", "csv"), ("splwow64.exe",)),
        Tool("WINWORD.EXE", "{file} - Word", ("docx",), ()),
        Tool("OUTLOOK.EXE", "{topic} - Outlook", (), ("OfficeClickToRun.exe",)),
        Tool("POWERPNT.EXE", "{file} - PowerPoint", ("pptx",), ()),
    ),
    "student": (
        Tool("Acrobat.exe", "{file} - Adobe Acrobat Reader", ("pdf",), ("AcroCEF.exe",)),
        Tool("WINWORD.EXE", "{file} - Word", ("docx",), ()),
        Tool("Obsidian.exe", "{topic} - notes - Obsidian", ("md",), ("Obsidian.exe",)),
        Tool("zotero.exe", "{topic} - Zotero", (), ()),
    ),
    "designer": (
        Tool("Photoshop.exe", "{file} @ 66.7% (RGB/8)", ("psd", "png"), ("node.exe",)),
        Tool("Figma.exe", "{topic} – Figma", (), ("Figma.exe", "figma_agent.exe")),
        Tool("Blender.exe", "{file} - Blender", ("blend",), ()),
        Tool("explorer.exe", "{project}", (), ()),
    ),
    "writer": (
        Tool("notepad.exe", "{file} - Notepad", ("txt",), ()),
        Tool("WINWORD.EXE", "{file} - Word", ("docx",), ()),
        Tool("Notion.exe", "{topic}", (), ("Notion.exe",)),
        Tool("Typora.exe", "{file} - Typora", ("md",), ()),
    ),
}
"""Job -> its apps."""

COMMON_TOOLS: dict[Language, tuple[Tool, ...]] = {
    "en": (
        Tool("slack.exe", "{name} - Slack", (), ("slack.exe",)),
        Tool("Teams.exe", "{name} | Microsoft Teams", (), ("msedgewebview2.exe",)),
        Tool("Discord.exe", "#{topic} - Discord", (), ("Discord.exe",)),
        Tool("Spotify.exe", "{topic}", (), ("Spotify.exe",)),
        Tool("explorer.exe", "{project}", (), ()),
        Tool("thunderbird.exe", "{topic} - Mozilla Thunderbird", (), ()),
    ),
    "zh": (
        Tool("Weixin.exe", "微信", (), ("WeChatAppEx.exe",)),
        Tool("QQ.exe", "{name}", (), ("QQ.exe",)),
        Tool("DingTalk.exe", "钉钉", (), ("DingTalk.exe",)),
        Tool("cloudmusic.exe", "{topic} - {name}", (), ("cloudmusic_reporter.exe",)),
        Tool("explorer.exe", "{project}", (), ()),
        Tool("wps.exe", "{file} - WPS Office", ("docx", "xlsx"), ("wpscloudsvr.exe",)),
    ),
}

UPDATERS: tuple[tuple[str, ...], ...] = (
    ("MicrosoftEdgeUpdate.exe",),
    ("GoogleUpdater.exe", "GoogleUpdater.exe"),
    ("updater.exe", "crashpad_handler.exe"),
    ("svchost.exe", "taskhostw.exe"),
    ("OneDriveSetup.exe", "FileCoAuth.exe"),
    ("backgroundTaskHost.exe",),
    ("SearchProtocolHost.exe", "SearchFilterHost.exe"),
    ("conhost.exe", "sync_agent.exe", "conhost.exe"),
    ("AdobeARM.exe", "armsvc.exe"),
    ("RuntimeBroker.exe",),
)
"""Groups of background processes that start and end together."""

SITES: dict[Language, dict[str, str]] = {
    "en": {
        "github.com": "GitHub",
        "stackoverflow.com": "Stack Overflow",
        "docs.python.org": "Python documentation",
        "mail.google.com": "Gmail",
        "calendar.google.com": "Google Calendar",
        "www.youtube.com": "YouTube",
        "news.ycombinator.com": "Hacker News",
        "www.reddit.com": "Reddit",
        "en.wikipedia.org": "Wikipedia",
        "www.nytimes.com": "The New York Times",
        "drive.google.com": "Google Drive",
        "www.figma.com": "Figma",
        "www.notion.so": "Notion",
        "jira.example.com": "Board",
        "wiki.example.com": "Team wiki",
        "arxiv.org": "arXiv",
        "scholar.google.com": "Google Scholar",
        "www.bbc.co.uk": "BBC News",
        "www.amazon.com": "Amazon",
        "translate.google.com": "Google Translate",
        "www.linkedin.com": "LinkedIn",
        "localhost:3000": "Preview",
        "localhost:8080": "Dashboard",
        "dribbble.com": "Dribbble",
        "unsplash.com": "Unsplash",
        "www.google.com": "Google Search",
        "book.example.com": "Book",
    },
    "zh": {
        "www.zhihu.com": "知乎",
        "www.bilibili.com": "哔哩哔哩",
        "gitee.com": "Gitee",
        "juejin.cn": "掘金",
        "blog.csdn.net": "CSDN博客",
        "www.baidu.com": "百度搜索",
        "mail.163.com": "网易邮箱",
        "www.taobao.com": "淘宝",
        "www.jd.com": "京东",
        "weibo.com": "微博",
        "www.douban.com": "豆瓣",
        "github.com": "GitHub",
        "www.cnki.net": "中国知网",
        "docs.qq.com": "腾讯文档",
        "www.yuque.com": "语雀",
        "kimi.example.cn": "助手",
        "wiki.example.cn": "内部文档",
        "oa.example.cn": "办公系统",
        "news.sina.com.cn": "新浪新闻",
        "cn.bing.com": "必应",
        "map.baidu.com": "百度地图",
        "music.163.com": "网易云",
        "www.xiaohongshu.com": "小红书",
        "localhost:5173": "预览",
    },
}
"""Domain -> the end of its pages' titles."""

NAMES: dict[Language, tuple[str, ...]] = {
    "en": ("Amara", "Jonas", "Mei", "Priya", "Tomás", "Ingrid", "Yusuf", "Chloé", "Marek", "Lena", "Design team"),
    "zh": ("王小明", "李娜", "张伟", "刘洋", "陈晨", "赵敏", "项目群", "家人", "周杰", "部门通知", "吴迪"),
}

PROJECTS: dict[Language, tuple[str, ...]] = {
    "en": ("orchard", "lighthouse", "budget-2026", "thesis", "Downloads", "harbour", "website", "quarterly", "atlas"),
    "zh": ("项目资料", "毕业论文", "预算", "下载", "网站改版", "season-app", "数据分析", "合同", "课程"),
}

ADJECTIVES: dict[Language, tuple[str, ...]] = {
    "en": (
        "quiet", "open", "weekly", "fast", "broken", "new", "final", "green", "simple", "shared", "distributed",
        "hidden", "annual", "cheap", "modern", "small", "remote", "early", "northern", "practical", "strange",
        "secure", "lazy", "parallel", "urgent", "local", "second", "better", "missing", "careful",
    ),
    "zh": (
        "简单的", "最新", "每周", "快速", "开源", "安全的", "完整", "年度", "免费", "实用", "远程", "分布式",
        "有趣的", "重要", "本地", "并行", "高效", "缺失的", "共享", "新版", "深度", "基础", "经典", "未来的",
    ),
}  # fmt: skip

NOUNS: dict[Language, tuple[str, ...]] = {
    "en": (
        "parser", "garden", "report", "meeting notes", "index", "train timetable", "invoice", "colour palette",
        "benchmark", "recipe", "river", "database", "roadmap", "bicycle", "lecture", "release", "keyboard", "mortgage",
        "queue", "survey", "camera", "pull request", "weather", "museum", "logo", "migration", "novel", "schedule",
        "compiler", "flight", "error message", "chapter", "cache", "concert", "window", "spreadsheet", "battery",
        "interview", "dashboard", "tutorial", "playlist", "kitchen", "network", "proposal", "harbour", "test suite",
    ),
    "zh": (
        "解析器", "花园", "报告", "会议纪要", "索引", "时刻表", "发票", "配色", "基准测试", "菜谱", "数据库",
        "路线图", "自行车", "讲义", "发布说明", "键盘", "贷款", "消息队列", "问卷", "相机", "合并请求", "天气预报",
        "博物馆", "标志", "迁移方案", "小说", "日程", "编译器", "航班", "报错信息", "第三章", "缓存", "演唱会",
        "窗口", "表格", "电池", "面试题", "仪表盘", "教程", "歌单", "厨房", "神经网络", "提案", "测试用例",
        "笔记本电脑", "考试大纲",
    ),
}  # fmt: skip

PHRASES: dict[Language, tuple[str, ...]] = {
    "en": (
        "How to fix a {a} {n}", "{A} {n}", "The {a} {n} and the {m}", "{N}: a {a} guide", "Why is my {n} {a}?",
        "{N} #{i}", "{N} vs {m}", "Re: {a} {n}", "{N} {i} - {m}", "Best {n} for a {a} {m}",
    ),
    "zh": (
        "{a}{n}", "如何修复{a}{n}", "{n}与{m}", "{n}入门（{i}）", "为什么{n}这么慢？", "{a}{n}和{m}的区别",
        "回复：{n}", "{n} #{i}", "{i}个{a}{n}", "{m}：{a}{n}指南",
    ),
}  # fmt: skip
