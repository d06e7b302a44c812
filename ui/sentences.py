"""The Chinese of what other parts say about themselves, for the page; everything else shows their English.

The English sentences are written where they arise, in whatever part or process; some wait in files and in the store.
Each is here with its Chinese one, and a test compares all of them with the code. A name in braces stands for what the
code puts in there: a name, which stays, or such a sentence again.
"""

import re
from functools import cache, lru_cache

from markupsafe import Markup, escape

from memo.core.grammar import Language
from memo.display.text import safe

LONGEST = 2_000  # characters of a sentence; a longer text is not looked up, as that would take too long
DEEPEST = 5  # level of what is still translated within a sentence; those of MEMO go no deeper
REMEMBERED = 1_000  # sentences, as a page has the same ones in each view
SENTENCES = {"reason", "remedy", "result", "damage", "cause", "skipped", "answer", "gate", "served", "written"}
"""Names in braces that stand for a sentence or a gate, which is translated too; all others stand for names."""
WORDS = ("value", "count", "read", "made", "probability", "length", "handler")
"""Names in braces that stand for one word at the beginning of a sentence; what stands before that is a gate."""
NAMED = dict.fromkeys(WORDS, r"\S+") | dict.fromkeys(("kind", "gate"), r"[\w -]+?")
NAMED |= {"cause": "[^()]+", "skipped": ".+", "reason": ".+"}
"""Patterns of what a name in braces stands for; any other name stands for the shortest text that fits."""
HAN = re.compile(r"[\u4e00-\u9fff]")  # Chinese letters
COMMAND = re.compile("`([^`]+)`")
CHINESE = {
    # parts of MEMO
    "MEMO is not running; `memo up` starts it.": "MEMO 没有运行；`memo up` 启动它。",
    "The {part} (process {pid}) has been stuck for {silent} s; MEMO restarts it after {restart} s. If that happens "
    "again, see {logs}.": (
        "{part}（进程 {pid}）已经停住 {silent} 秒；满 {restart} 秒时 MEMO 会重启它。如果再次发生，请看 {logs}。"
    ),
    "The {part} crashed too often and is given up; see {logs}, then run `memo down` and `memo up`.": (
        "{part} 崩溃太多次，不再重启；请看 {logs}，再运行 `memo down` 和 `memo up`。"
    ),
    "{length} messages wait in the queue {name}, more than are taken from it. If that lasts, see {logs}, then run "
    "`memo down` and `memo up`.": (
        "队列 {name} 中有 {length} 条消息在等待，取走的比送来的少。如果一直如此，请看 {logs}，"
        "再运行 `memo down` 和 `memo up`。"
    ),
    "The broker's queues can't be read ({kind}: {reason}).": "无法读取消息代理的队列（{kind}：{reason}）。",
    "The supervisor (process {pid}) has been stuck for {silent} s; run `kill -9 {pid_again}`, then `memo up`.": (
        "监管进程（{pid}）已经停住 {silent} 秒；请运行 `kill -9 {pid_again}`，再运行 `memo up`。"
    ),
    "{file} can't be written, so the states are {age} s old; free some disk space.": (
        "{file} 无法写入，所以各部分的状态是 {age} 秒之前的；请腾出磁盘空间。"
    ),
    "The disk of {folder} is full; free some space.": "{folder} 所在的磁盘已满；请腾出空间。",
    "The disk of {folder} has no room for more files, however small; delete some.": (
        "{folder} 所在的磁盘再也放不下文件，多小都不行；请删除一些。"
    ),
    "{file} may hold what is to be forgotten and can't be changed ({reason}); correct that, then run the same command "
    "again.": "{file} 可能含有要忘记的内容，却无法修改（{reason}）；请排除这个障碍，再运行同一个命令。",
    "another process is writing it": "另一个进程正在写它",
    "The clock was set from {before} to {after}; check it with `date`. Nothing old is deleted until it has been right "
    "for three days.": "时钟从 {before} 被改到 {after}；请用 `date` 检查。时钟正确满三天之前，不会清理任何旧数据。",
    "MEMO is stopping; try again.": "MEMO 正在停止；请再试一次。",
    "MEMO was just being started or stopped by another command; see `memo status`, or try again.": (
        "另一个命令正在启动或停止 MEMO；请看 `memo status`，或再试一次。"
    ),
    "MEMO is already running (process {pid}); `memo down` stops it.": (
        "MEMO 已在运行（进程 {pid}）；`memo down` 停止它。"
    ),
    "No broker answers at {place} ({kind}: {reason}); {remedy}": (
        "{place} 处没有消息代理应答（{kind}：{reason}）；{remedy}"
    ),
    "The path of the broker's socket, {path}, has {length} bytes, but at most {most} are allowed; set MEMO_HOME to a "
    "shorter path.": "消息代理的套接字路径 {path} 有 {length} 字节，最多允许 {most}；请把 MEMO_HOME 设为更短的路径。",
    "MEMO restarts it soon; if it does not, run `memo down` and `memo up`.": (
        "MEMO 很快会重启它；否则请运行 `memo down` 和 `memo up`。"
    ),
    "start it, or correct broker_url.": "请启动它，或改正 broker_url。",
    # whether work goes on
    "The newest event of {scope}, stored at {time}, has no prediction yet. If that lasts, see {log}, then run "
    "`memo down` and `memo up`.": (
        "{scope} 的最新事件（{time} 存储）还没有预测。如果一直如此，请看 {log}，再运行 `memo down` 和 `memo up`。"
    ),
    "The source {source} fails ({reason}); it is started again and again. If that lasts, see {log}.": (
        "来源 {source} 失败（{reason}）；MEMO 会不断重新启动它。如果一直如此，请看 {log}。"
    ),
    "The source {source}: {reason}": "来源 {source}：{reason}",
    "No window has been seen since {time}, when the source {source} saw the last one: {reason} Run `memo down` and "
    "`memo up` in your desktop session.": (
        "自 {time} 起看不到任何窗口，最后一个由来源 {source} 看到：{reason}请在桌面会话中"
        "运行 `memo down` 和 `memo up`。"
    ),
    "In {scope} the language model is off: {reason}. A better version turns it on again.": (
        "{scope} 的语言模型已关闭：{reason}。有了更好的版本，它会重新打开。"
    ),
    "since {time} the next place is foreseen worse than before": "自 {time} 起，下一个去处预见得比以前差",
    "over the last {acts} actions {score} of {view} is below that of the rule {rule}": (
        "在最近 {acts} 个动作中，{view} 的 {score} 低于规则 {rule}"
    ),
    "The last daily job {result}; the next one tries again.": "上一次每日工作{result}；下一次会再试。",
    "{result}: the store is damaged ({damage}); {remedy}": "{result}：存储已损坏（{damage}）；{remedy}",
    "made no backup": "没有做成备份",
    # versions of the model
    "Version {version} is not used: {reason}": "没有使用版本 {version}：{reason}",
    "{reason}; {served} serves instead.": "{reason}；改为使用{served}。",
    "the built-in version": "内置版本",
    "history alone": "仅历史",
    "it was trained on {base}, but model.base is {wanted}": "它在 {base} 上训练，而 model.base 是 {wanted}",
    "{file} can't be read, or a file that it names ({reason})": "{file} 或它列出的文件无法读取（{reason}）",
    "{file} is not as it was when the version was trained": "{file} 与训练这个版本时不同",
    "{folder} holds another version": "{folder} 中是另一个版本",
    "it is not a manifest": "它不是清单文件",
    "There is no version {version}; `memo model list` shows all versions.": (
        "没有版本 {version}；`memo model list` 列出所有版本。"
    ),
    "The files of {version} are gone ({path}); activate another version.": (
        "{version} 的文件不见了（{path}）；请启用另一个版本。"
    ),
    "{scope} is served by the built-in version; there is nothing to go back to.": (
        "{scope} 正在使用内置版本；没有可以回到的版本。"
    ),
    "Version {version} was trained on other weights than {base}; run memo train again.": (
        "版本 {version} 训练时所用的权重与 {base} 不同；请重新运行 `memo train`。"
    ),
    "Version {version} can't be loaded from {folder}; activate another.": (
        "版本 {version} 无法从 {folder} 载入；请启用另一个版本。"
    ),
    "Version {version} answers differently than when it was trained.": "版本 {version} 的回答与训练时不同。",
    "The base model {base} can't be loaded ({reason}); {remedy}.": "基础模型 {base} 无法载入（{reason}）；{remedy}。",
    "run `memo model pull {base}`, or {otherwise}": "请运行 `memo model pull {base}`，或{otherwise}",
    "set model.base to builtin or to the folder of a model": "请把 model.base 设为 builtin 或模型所在的文件夹",
    "The base model's vocabulary has no short words to serve as labels; choose another model.base.": (
        "基础模型的词表中没有可作标签的短词；请选择另一个 model.base。"
    ),
    "The setting model.device is cuda, but there is no usable GPU; set it to auto or cpu.": (
        "设置 model.device 是 cuda，但没有可用的 GPU；请设为 auto 或 cpu。"
    ),
    # the store
    "The store is damaged ({damage}); {remedy}.": "存储已损坏（{damage}）；{remedy}。",
    "The store {place} is damaged ({damage}); {remedy}.": "存储 {place} 已损坏（{damage}）；{remedy}。",
    "run `memo down`, then `memo restore`": "请运行 `memo down`，再运行 `memo restore`",
    "its file is gone": "它的文件不见了",
    "its file is empty": "它的文件是空的",
    "it is no file, but a folder or the like": "它不是文件，而是文件夹之类",
    "the copy is damaged ({damage})": "副本已损坏（{damage}）",
    "The store {file} can't be made: there is no folder {folder}; make it, or correct database_url.": (
        "无法建立存储 {file}：没有文件夹 {folder}；请建立它，或改正 database_url。"
    ),
    "{path} is no file, where the store needs one; run `memo down`, then move it away.": (
        "{path} 不是文件，而存储在此需要一个文件；请运行 `memo down`，再把它移走。"
    ),
    "The store's file {path} can't be read and written; correct its permissions or database_url.": (
        "存储的文件 {path} 无法读写；请修正其权限，或改正 database_url。"
    ),
    "The store {place} can't hold a text ({reason}).": "存储 {place} 无法保存某段文字（{reason}）。",
    "Cannot use the store {place}: {reason}. `memo doctor` checks whether it can be reached and is up to date.": (
        "无法使用存储 {place}：{reason}。`memo doctor` 检查它能否连接、是否最新。"
    ),
    "The store {place} was written by a newer MEMO (schema {schema}); update MEMO. Nothing was changed.": (
        "存储 {place} 由更新的 MEMO 写成（表结构 {schema}）；请更新 MEMO，没有任何改动。"
    ),
    "The store has no id; restore a backup with `memo restore`, or begin with another store.": (
        "存储没有标识；请用 `memo restore` 恢复备份，或使用另一个存储。"
    ),
    "Setting database_url {reason}; write sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME.": (
        "设置 database_url {reason}；请写 sqlite:///FILE 或 postgresql+psycopg://USER:PASSWORD@HOST/NAME。"
    ),
    "is not a database that MEMO can use": "不是 MEMO 能用的数据库",
    "names no file, or has options, which SQLite does not take": "没有写明文件，或带有 SQLite 不接受的选项",
    "has one @ too many; write it as %40 inside a password": "多了一个 @；密码中的 @ 请写成 %40",
    "has options that Postgres does not know ({names})": "带有 Postgres 不认识的选项（{names}）",
    "The database {place} has the encoding {encoding}, which lacks most characters; MEMO needs UTF8. Make another one "
    "(CREATE DATABASE memo ENCODING 'UTF8' TEMPLATE template0) and name it in database_url.": (
        "数据库 {place} 的编码是 {encoding}，缺少大部分字符；MEMO 需要 UTF8。请另建一个"
        "（`CREATE DATABASE memo ENCODING 'UTF8' TEMPLATE template0`），并写入 database_url。"
    ),
    "The user {user} may not make tables in {place}; run there, as the owner of the database: GRANT CREATE, USAGE ON "
    'SCHEMA {schema} TO "{again}".': (
        "用户 {user} 无权在 {place} 中建表；请以数据库所有者的身份在那里运行："
        '`GRANT CREATE, USAGE ON SCHEMA {schema} TO "{again}"`。'
    ),
    "no answer within {limit} s": "{limit} 秒内没有应答",
    "Events were deleted or inserted meanwhile; ask again.": "其间有事件被删除或插入；请再试一次。",
    # settings
    "{name} in the environment hides {key}; change it there.": "环境变量 {name} 遮盖了 {key}；请在那里改。",
    "{name} in the environment is not a setting; write {nearest}, or unset it.": (
        "环境变量 {name} 不是设置；请写 {nearest}，或取消它。"
    ),
    "{name} in the environment is not a setting; unset it. `memo config get` lists all settings.": (
        "环境变量 {name} 不是设置；请取消它。`memo config get` 列出所有设置。"
    ),
    "A MEMO_ variable of the environment is not valid JSON ({reason}); correct it.": (
        "某个 MEMO_ 环境变量不是有效的 JSON（{reason}）；请改正。"
    ),
    "{file} is not a file; remove it, and `memo up` writes one with every key.": (
        "{file} 不是文件；请移走它，`memo up` 会写一个包含所有设置的文件。"
    ),
    "Cannot read {file} ({reason}); correct or remove it.": "无法读取 {file}（{reason}）；请改正或删除它。",
    "{written} is not valid TOML ({reason}); correct that line.": (
        "{written} 不是有效的 TOML（{reason}）；请改正那一行。"
    ),
    "What you wrote": "你写的内容",
    "Setting {key} is wrong: {reason}; {remedy}.": "设置 {key} 有误：{reason}；{remedy}。",
    "there is no setting of this name": "没有这个名称的设置",
    "nothing was changed": "没有任何改动",
    "correct it in {file} or in {name}": "请在 {file} 或 {name} 中改正",
    "contains a *; leave it out: longer names with this word, and all below it, match too": (
        "含有 *；请去掉它：含这个词的更长名称及其下的一切也会相符"
    ),
    "is not an absolute path; write for example ~/private": "不是绝对路径；例如写 ~/private",
    "is not an operation of an action; write file_access (also for saved files), web_visit, window_focus or "
    "process_start": ("不是动作的操作；请写 file_access（保存文件也算）、web_visit、window_focus 或 process_start"),
    "is not a regular expression ({reason})": "不是正则表达式（{reason}）",
    "is not an address that predictions may be sent to; write https://HOST/PATH without a user, or "
    "http://127.0.0.1:PORT/PATH": (
        "不是可以发送预测的地址；请写不带用户名的 https://HOST/PATH，或 http://127.0.0.1:PORT/PATH"
    ),
    "its secret has fewer than {length} characters; choose a longer one": "它的密钥少于 {length} 个字符；请选择更长的",
    "does not begin with the absolute path of a program, such as /usr/local/bin/lights": (
        "没有以程序的绝对路径开头，例如 /usr/local/bin/lights"
    ),
    "is not an IANA time zone; write for example Europe/Berlin": "不是 IANA 时区；例如写 Europe/Berlin",
    "{key} can't be set in this file without moving other keys; run `memo config edit`.": (
        "不移动其他设置就无法在此文件中设置 {key}；请运行 `memo config edit`。"
    ),
    "{file} was changed meanwhile and is left as it is; try again.": "{file} 其间被改动，保持原样；请再试一次。",
    "Another command is changing {file}; try again.": "另一个命令正在修改 {file}；请再试一次。",
    "{file} can't be written ({reason}); free some space, or make its folder writable.": (
        "{file} 无法写入（{reason}）；请腾出空间，或让它的文件夹可写。"
    ),
    "Cannot write {file} ({reason}); free some space, or correct its permissions.": (
        "无法写入 {file}（{reason}）；请腾出空间，或改正它的权限。"
    ),
    "{path} belongs to {user}, who could change what MEMO does; remove it, or run `sudo chown {uid} {again}` if it is "
    "yours.": "{path} 属于 {user}，此人可以改变 MEMO 的行为；请删除它，若是你的，请运行 `sudo chown {uid} {again}`。",
    "Other users can write to {path}, and so change what MEMO does; run `chmod go-w {again}`.": (
        "其他用户可以写入 {path}，从而改变 MEMO 的行为；请运行 `chmod go-w {again}`。"
    ),
    "Cannot use MEMO_HOME {path} ({reason}); write the absolute path.": (
        "无法使用 MEMO_HOME {path}（{reason}）；请写绝对路径。"
    ),
    "Cannot use MEMO_HOME {path} ({reason}); choose a folder you own.": (
        "无法使用 MEMO_HOME {path}（{reason}）；请选择你自己的文件夹。"
    ),
    "{path} is a file, where MEMO needs a folder; move it away.": "{path} 是文件，而 MEMO 在此需要文件夹；请移走它。",
    "Setting broker_url has an unknown scheme; write one of {schemes} and ://…": (
        "设置 broker_url 的协议未知；请写 {schemes} 之一，再接 ://…"
    ),
    "Setting broker_url is not a valid URL; write SCHEME://USER:PASSWORD@HOST:PORT/…, and inside a password %2F for /, "
    "%3F for ?, %23 for # and %40 for @.": (
        "设置 broker_url 不是有效的 URL；请写 SCHEME://USER:PASSWORD@HOST:PORT/…，密码中的 / 写成 %2F，? 写成 %3F，"
        "# 写成 %23，@ 写成 %40。"
    ),
    # requests to the page
    "This page belongs to another user of this machine.": "这个页面属于本机的另一个用户。",
    "This page answers only at the address that `memo ui` shows.": "这个页面只在 `memo ui` 显示的地址应答。",
    "This form was sent by another site, so nothing was done.": "这个表单来自另一个网站，所以没有执行。",
    "Open this page with the link that `memo ui` shows; each link works once.": (
        "请用 `memo ui` 显示的链接打开这个页面；每个链接只能用一次。"
    ),
    "This link was used before; run `memo ui` for a new one.": "这个链接已经用过；请运行 `memo ui` 得到新的。",
    "There is no such page.": "没有这个页面。",
    "This form is longer than {bytes} bytes.": "这个表单超过 {bytes} 字节。",
    "Choose a day, a week or a month.": "请选择一天、一周或一个月。",
    "Write the day as 2026-03-02.": "日期请写成 2026-03-02。",
    "Choose an operation of the list, and write the day as 2026-03-02.": "请选择列表中的操作，日期请写成 2026-03-02。",
    "There is no such page of the history; begin again with the newest one.": "没有这一页历史；请从最新的一页开始。",
    "There is no prediction {prediction}; `memo history` lists the ids.": (
        "没有预测 {prediction}；`memo history` 列出编号。"
    ),
    "This answer names no suggestion; go back and choose Yes, Not this or Never.": (
        "这个回答没有指明建议；请返回，选择“对”“不是这个”或“永不”。"
    ),
    "This suggestion was deleted meanwhile, so nothing was stored.": "这个建议其间已被删除，所以没有存储任何内容。",
    "This answer was forgotten meanwhile, so nothing was stored.": "这个回答其间已被忘记，所以没有存储任何内容。",
    "No answer was chosen; go back and choose one from the list.": "没有指明回答；请返回，从列表中选择一个。",
    "Switch a handler to on, dry or off.": "处理器的开关请选“开”“试运行”或“关”。",
    "The handler {handler} can't be loaded; install its package first.": (
        "无法载入处理器 {handler}；请先安装它的软件包。"
    ),
    # forgetting
    "Nothing is stored yet, so there is nothing to forget.": "还没有存储任何内容，所以没有可以忘记的。",
    "Say what to forget: an app, a site, a text or a day; `memo forget --all` forgets everything.": (
        "请说明要忘记什么：应用、网站、文字或日期；`memo forget --all` 忘记全部。"
    ),
    "A program that reads memo.db keeps memo.db-wal from being emptied; close it and try again.": (
        "有程序正在读取 memo.db，使 memo.db-wal 无法清空；请关闭它，再试一次。"
    ),
    "The broker still holds messages that name it ({kind}: {reason}); run `memo down`, then the same command again.": (
        "消息代理中仍有提到它的消息（{kind}：{reason}）；请运行 `memo down`，再重新忘记。"
    ),
    "The broker did not rewrite its file in time; run `memo down`, then the same command again.": (
        "消息代理没有及时重写它的文件；请运行 `memo down`，再重新忘记。"
    ),
    "{folder} can't be deleted and may hold what is to be forgotten; delete it, then try again.": (
        "{folder} 无法删除，其中可能有要忘记的内容；请删除它，再试一次。"
    ),
    # sources
    "{gate}: {reason}": "{gate}：{reason}",
    "it ended unexpectedly": "它意外结束",
    "choose it by `memo setup`, or add it to sources.on in memo.toml": (
        "用 `memo setup` 选择，或加到 memo.toml 的 sources.on"
    ),
    "No source of this name is installed; correct it in sources.on of memo.toml.": (
        "没有安装这个名称的来源；请在 memo.toml 的 sources.on 中改正。"
    ),
    "Its package {package} cannot be loaded ({reason}); repair or uninstall it.": (
        "它的软件包 {package} 无法载入（{reason}）；请修复或卸载它。"
    ),
    "{file} cannot be read or created ({reason}), so nothing is recorded; repair or remove it.": (
        "{file} 无法读取或建立（{reason}），所以没有记录任何内容；请修复或删除它。"
    ),
    "{file} is not a key of {bytes} bytes, so nothing is recorded; remove it to have a new one made.": (
        "{file} 不是 {bytes} 字节的密钥，所以没有记录任何内容；请删除它，会另建一个。"
    ),
    "Another process has already stored what the source {source} read; the source continues after that.": (
        "另一个进程已存储来源 {source} 读到的内容；该来源会从其后继续。"
    ),
    "Somebody was at this machine for an hour, and no window was seen in use; look up in docs/sources.md what this "
    "source needs, then run `memo down` and `memo up` in your desktop session.": (
        "有人使用本机已有一小时，却没有看到使用中的窗口；请在 docs/sources.md 中查看这个来源需要什么，"
        "然后在桌面会话中运行 `memo down` 和 `memo up`。"
    ),
    "No ActivityWatch server is named; set sources.activitywatch_url in memo.toml, such as http://127.0.0.1:5600.": (
        "没有写明 ActivityWatch 服务器；请在 memo.toml 中设置 sources.activitywatch_url，例如 http://127.0.0.1:5600。"
    ),
    "{address} is not the address of a server; correct sources.activitywatch_url, such as http://127.0.0.1:5600.": (
        "{address} 不是服务器的地址；请改正 sources.activitywatch_url，例如 http://127.0.0.1:5600。"
    ),
    "The ActivityWatch server at {address} does not answer ({reason}); start it, or correct its address.": (
        "{address} 处的 ActivityWatch 服务器没有应答（{reason}）；请启动它，或改正地址。"
    ),
    "No folder is chosen; name those whose files you work on in sources.folders of memo.toml.": (
        "没有选择文件夹；请把你使用其中文件的文件夹写入 memo.toml 的 sources.folders。"
    ),
    "No folder in sources.folders of memo.toml exists and can be read; correct their names.": (
        "memo.toml 的 sources.folders 中没有一个文件夹存在且可读；请改正名称。"
    ),
    "the system's limit of inotify instances is reached, so files are not watched; raise it: sudo sysctl "
    "fs.inotify.max_user_instances=1024": (
        "已达到系统的 inotify 实例上限，所以没有观察文件；请提高上限：`sudo sysctl fs.inotify.max_user_instances=1024`"
    ),
    "the system's limit of inotify watches is reached, so some folders are not watched; raise it: sudo sysctl "
    "fs.inotify.max_user_watches=524288": (
        "已达到系统的 inotify 监视上限，所以有些文件夹没有观察；请提高上限："
        "`sudo sysctl fs.inotify.max_user_watches=524288`"
    ),
    "{folder} was removed or replaced; it will be watched again": "{folder} 被移走或替换；会重新观察它",
    "{folder} was removed; it will be created and watched again": "{folder} 被移走；会重新建立并观察它",
    "{file} can't be read ({reason}); delete it, and desktop programs begin a new one.": (
        "{file} 无法读取（{reason}）；请删除它，桌面程序会另建一个。"
    ),
    "it is too large": "它太大",
    "it declares entities, which no desktop does": "它声明了实体，而没有桌面会这样做",
    "it is not well-formed XML: {reason}": "它不是格式正确的 XML：{reason}",
    "{folder}, where programs list recently used files, does not exist; open a file in one of them.": (
        "程序用来列出最近所用文件的 {folder} 不存在；请在某个程序中打开一个文件。"
    ),
    "{skipped}; {log} names them": "{skipped}；{log} 列出它们",
    "{count} files are not read ({cause})": "有 {count} 个文件没有读取（{cause}）",
    "in UTF-16; save them as UTF-8, or use `memo import`": "是 UTF-16；请存成 UTF-8，或使用 `memo import`",
    "not regular files": "不是普通文件",
    "Starts and ends of apps are noticed only on Linux 5.3 or newer with /proc; update the kernel.": (
        "只有在带 /proc 的 Linux 5.3 或更新版本上才能察觉应用的启动和结束；请更新内核。"
    ),
    "It isn't needed: this is an X11 session, and the source x11 notices the focus.": (
        "不需要它：这是 X11 会话，由来源 x11 察觉当前窗口。"
    ),
    "It isn't needed: sway runs here, and the source sway notices the focus.": (
        "不需要它：这里运行 sway，由来源 sway 察觉当前窗口。"
    ),
    "No session bus was found; start MEMO inside your desktop session.": "没有找到会话总线；请在桌面会话中启动 MEMO。",
    "the session bus is gone": "会话总线不见了",
    "the session bus does not answer; log out and in again": "会话总线没有应答；请注销后重新登录",
    "the session bus is another user's; start MEMO as the user of the desktop": (
        "会话总线属于另一个用户；请以使用桌面的用户启动 MEMO"
    ),
    "another MEMO is on the session bus; stop it with `memo down` in its home": (
        "会话总线上有另一个 MEMO；请在它的 MEMO_HOME 中用 `memo down` 停止它"
    ),
    "No sway of yours runs here; once one does, it is found by its socket.": (
        "这里没有运行你的 sway；一旦运行，就会通过套接字找到它。"
    ),
    "sway is gone": "sway 不见了",
    "sway has closed its socket": "sway 关闭了它的套接字",
    "sway's socket sent something that is not an i3-ipc message": "sway 的套接字送来的不是 i3-ipc 消息",
    "the idle probe has ended with status {status}": "空闲探测已结束，状态 {status}",
    "No Wayland compositor of yours runs here; once one does, it is found by its socket.": (
        "这里没有运行你的 Wayland 合成器；一旦运行，就会通过套接字找到它。"
    ),
    "pywayland is not installed; `make env` installs it.": "没有安装 pywayland；`make env` 安装它。",
    "This compositor does not list its windows; under GNOME and KDE, use the source desktop.": (
        "这个合成器不列出它的窗口；在 GNOME 和 KDE 下，请用来源 desktop。"
    ),
    "the compositor is gone": "合成器不见了",
    "the compositor has closed the connection": "合成器关闭了连接",
    "the probe wrote a line that is too long": "探测程序写了太长的一行",
    "The history of {browser} can't be read; logs/collector.log has the reason. Restart the browser, or update MEMO.": (
        "无法读取 {browser} 的历史；原因在 logs/collector.log 中。请重启浏览器，或更新 MEMO。"
    ),
    "No browser history was found; visit a page with Firefox, Chromium or a browser based on them.": (
        "没有找到浏览器历史；请用 Firefox、Chromium 或基于它们的浏览器访问一个网页。"
    ),
    "No X server is known; start MEMO inside your desktop session, or set DISPLAY.": (
        "不知道 X 服务器在哪里；请在桌面会话中启动 MEMO，或设置 DISPLAY。"
    ),
    "it does not answer": "它没有应答",
    "Cannot connect to the X server {name} ({reason}); set DISPLAY and XAUTHORITY as in your desktop session.": (
        "无法连接 X 服务器 {name}（{reason}）；请像在桌面会话中那样设置 DISPLAY 和 XAUTHORITY。"
    ),
    "This is a Wayland session; its windows are seen by sway, wlroots or desktop.": (
        "这是 Wayland 会话；它的窗口由 sway、wlroots 或 desktop 看到。"
    ),
    # handlers
    "install its package, or remove it from [dispatch] in memo.toml": (
        "请安装它的软件包，或把它从 memo.toml 的 [dispatch] 中去掉"
    ),
    "switch it on in `memo ui`, or name it under dispatch.routes or dispatch.upcoming in memo.toml": (
        "请在 `memo ui` 中打开它，或在 memo.toml 的 dispatch.routes 或 dispatch.upcoming 中写上它"
    ),
    "add it to dispatch.on in memo.toml": "把它加到 memo.toml 的 dispatch.on",
    "turned itself off until {time}: {reason}": "它自行关闭到 {time}：{reason}",
    "its last {attempts} attempts cost {cost} s and saved {saved} s": (
        "它最近 {attempts} 次行动花费 {cost} 秒，节省 {saved} 秒"
    ),
    "{reason}; {remedy}": "{reason}；{remedy}",
    "the desktop's notifications have no buttons": "桌面的通知没有按钮",
    "dunst shows buttons in a menu only, and none of {menus} is installed": (
        "dunst 只在菜单中显示按钮，而 {menus} 都没有安装"
    ),
    "ask shows nothing then, so let notify do so, and {answer}": "这时 ask 不会显示，请让 notify 显示，并{answer}",
    "answer with `memo feedback last yes|no|never`": "用 `memo feedback last yes|no|never` 回答",
    "{reason}; use another notification program": "{reason}；请使用另一个通知程序",
    "there is no session bus; start MEMO inside your desktop session": "没有会话总线；请在桌面会话中启动 MEMO",
    "no program shows notifications; start one, such as dunst": "没有程序显示通知；请启动一个，例如 dunst",
    "no program shows notifications ({reason}); start one, such as dunst": (
        "没有程序显示通知（{reason}）；请启动一个，例如 dunst"
    ),
    "nothing to do": "无事可做",
    "{handler} showed a box instead": "{handler} 显示了通知",
    "{handler} showed a box about it {ago} s ago": "{handler} 在 {ago} 秒前为此显示过通知",
    "{length} attempts wait before it": "它前面有 {length} 次行动在等待",
    "it took longer than {limit} s": "它用了超过 {limit} 秒",
    "its process ended (status {status})": "它的进程已结束（状态 {status}）",
    "its process died, another one is started in {wait} s": "它的进程已终止，{wait} 秒后启动另一个",
    "only apps, sites and files can be started": "只能启动应用、网站和文件",
    "the file is not where it was seen": "文件不在原来的位置",
    "the file is a program": "文件是程序",
    "its program is not on this machine": "本机没有它的程序",
    "its desktop entry can't be used: {reason}": "它的桌面条目无法使用：{reason}",
    "Exec is not quoted as the specification demands": "Exec 没有按规范加引号",
    "Exec has an unknown field code %{code}": "Exec 有未知的字段代码 %{code}",
    "its desktop entry asks for a terminal or a shell": "它的桌面条目要求终端或 shell",
    "MEMO knows no program that runs this app alone": "不知道哪个程序只是这个应用",
    "its program is no longer where it was": "它的程序已不在原来的位置",
    "the app runs already": "应用已在运行",
    "{program} can't be used ({reason}); install the package xdg-utils": (
        "{program} 无法使用（{reason}）；请安装软件包 xdg-utils"
    ),
    "other users can change its program": "其他用户可以改变它的程序",
    "the site has no public name": "网站没有公开的名称",
    "the prediction is about another person or machine": "预测说的是另一个人或另一台机器",
    "MEMO stores no such name": "MEMO 不存储这样的名称",
    "it was never seen here": "这里从未见过它",
    "no handler is installed under the name {handler}": "没有安装名为 {handler} 的处理器",
    "handle returned {kind}, not a dict": "handle 返回了 {kind}，而不是 dict",
    "handle returned {length} characters of JSON, at most {most} are kept": (
        "handle 返回了 {length} 个字符的 JSON，最多保留 {most} 个"
    ),
    "the program can't be run ({reason}); see [exec] command": "程序无法运行（{reason}）；见 [exec] 的 command",
    "the program ended with status {status}; see [exec] command": "程序结束时状态为 {status}；见 [exec] 的 command",
    "the program was killed after {limit}; see [exec] command": "程序在 {limit} 后被终止；见 [exec] 的 command",
    "the settings do not name the app": "设置中没有写这个应用",
    "a proxy is set, which resolves the name instead": "设置了代理，由代理解析名称",
    "its name leads to an address that is not public": "它的名称指向非公开的地址",
    "none of its launches was observed yet": "还没有观察到它的启动",
    "it is another version now, none of whose launches was observed yet": "它现在是另一个版本，还没有观察到其启动",
    "no file that may be read": "没有可以读取的文件",
    "the server answers with status {status}; see [webhook] url": "服务器应答的状态为 {status}；见 [webhook] 的 url",
    "the server can't be reached ({kind}); see [webhook] url": "无法连接服务器（{kind}）；见 [webhook] 的 url",
    # gates
    "{value} is below {least}": "{value} 低于 {least}",
    "its time ended {ago} s ago": "它的时间在 {ago} 秒前已过",
    'answered "never" on {day}': "{day} 回答了“永不”",
    "{value} % is below {least} %": "{value} % 低于 {least} %",
    "programs wait for memory {share} % of the time, the limit is {limit} %": (
        "程序有 {share} % 的时间在等待内存，上限是 {limit} %"
    ),
    "programs wait for a processor {share} % of the time, the limit is {limit} %": (
        "程序有 {share} % 的时间在等待处理器，上限是 {limit} %"
    ),
    "a load of {load} per core is above {limit}": "每个核心的负载 {load} 高于 {limit}",
    "a window fills the screen": "有窗口占满屏幕",
    "until `memo resume`": "到 `memo resume` 为止",
    "until {time}": "到 {time} 为止",
    "{reason}; on again at {time}": "{reason}；{time} 重新打开",
    "acted on {ago} s ago, again in {wait} s": "{ago} 秒前行动过，{wait} 秒后再行动",
    "{made} of {most} attempts an hour are used up": "每小时 {most} 次行动已用去 {made} 次",
    "{read} MB and {more} MB more are above {most} MB an hour": "{read} MB 再加 {more} MB，超过每小时 {most} MB",
    "{value} is below {least}, {known} known hits so far": "{value} 低于 {least}，至今已知命中 {known} 次",
    "{probability} x {saved} s is not above the cost of {cost} s": "{probability} × {saved} 秒不高于花费的 {cost} 秒",
    "confidence": "把握",
    "late": "已晚",
    "refused": "被拒绝",
    "battery": "电池",
    "memory": "内存",
    "load": "负载",
    "pause": "暂停",
    "quiet hours": "安静时段",
    "full screen": "全屏",
    "resting": "休息中",
    "cooldown": "间隔",
    "budget": "限额",
    "value": "收益",
    "one box": "通知不重复",
    "back-off": "等待重启",
}

SYSTEM = {
    "[Errno {number}] {reason}": "{reason}（{number}）",
    "{reason}: '{path}'": "{reason}：{path}",
    "No such file or directory": "没有这个文件或文件夹",
    "Permission denied": "没有权限",
    "Operation not permitted": "不允许的操作",
    "Read-only file system": "只读的文件系统",
    "No space left on device": "磁盘已满",
    "Input/output error": "读写出错",
    "Is a directory": "是文件夹",
    "Not a directory": "不是文件夹",
    "Too many open files": "打开的文件太多",
    "Connection refused": "连接被拒绝",
    "Connection reset by peer": "连接被对方断开",
    "database is locked": "数据库被占用",
}
"""What the system says most often, within such sentences."""
KNOWN = CHINESE | SYSTEM


def in_language(sentence: str, language: Language) -> Markup:
    """Return a sentence as the page shows it; what has no Chinese is marked as English, for those who hear it."""
    chinese = translate(safe(sentence)) if language == "zh" else ""
    shown = Markup(COMMAND.sub(r"<code>\1</code>", str(escape(chinese or safe(sentence)))))
    return shown if chinese or language == "en" else Markup('<span lang="en">{}</span>').format(shown)


@lru_cache(REMEMBERED)
def translate(sentence: str, depth: int = DEEPEST) -> str:
    """Return a sentence in Chinese, with what it puts in, which may be in English; "" if it is not known."""
    if sentence in KNOWN:
        return KNOWN[sentence]
    found = _find(sentence) if len(sentence) <= LONGEST else None
    if found is None:
        return ""
    chinese, given = found
    inner = {name: translate(part, depth - 1) for name, part in given.items() if depth and name in SENTENCES}
    text = chinese.format(**{name: inner.get(name) or part for name, part in given.items()})
    return text if HAN.search(text) else ""


def _find(sentence: str) -> tuple[str, dict[str, str]] | None:
    """Return the Chinese sentence that fits, with its names in braces, and what they stand for."""
    for pattern, chinese in _patterns():
        if match := pattern.fullmatch(sentence):
            return chinese, match.groupdict()
    return None


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Return the sentences that put something in, those with the most of their own words first."""
    pairs = [(re.split(r"\{(\w+)\}", english), chinese) for english, chinese in KNOWN.items()]
    pairs.sort(key=lambda pair: -sum(map(len, pair[0][::2])))
    return [(re.compile(_as_pattern(parts)), chinese) for parts, chinese in pairs if len(parts) > 1]


def _as_pattern(parts: list[str]) -> str:
    """Return the pattern of a sentence, given in turn its own words and the names between them."""
    named = [f"(?P<{name}>{NAMED.get(name, '.+?')})" for name in parts[1::2]]
    return "".join(f"{re.escape(words)}{pattern}" for words, pattern in zip(parts[::2], [*named, ""], strict=True))
