"""Settings: defaults < memo.toml < MEMO_… environment < flags.

A process reads them once; tables whose `at_once` is set are read again when memo.toml changes, see `memo.config.live`.
The attribute docstrings are the comments of memo.toml.
"""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta, tzinfo
from functools import cache
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from memo.core.errors import UsageError
from memo.core.events import ACTIONS, HUMAN, Action, Operation, default_scope
from memo.core.paths import UMASK, Home, refuse_foreign
from memo.core.predictions import UPCOMING_OPERATIONS
from memo.core.system_zone import SYSTEM_ZONE

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Days = Annotated[int, Field(ge=0, le=36_500)]
PREFIX = "MEMO_"
NO_SETTINGS = {
    "MEMO_HOME",
    "MEMO_PARENT",
    UMASK,
    "MEMO_SERVICE",
    "MEMO_TEST_STRICT",
    "MEMO_EVENT_FILES",
}  # of other modules and tests
SECRET_LENGTH = 16  # characters, the minimum
SCOPE_PATTERN = r"^[^/\\\x00-\x1f.][^/\\\x00-\x1f]*$"  # a scope is also the name of a folder


def _seconds(value: Any) -> Any:
    """Return a number of seconds as a float; in the environment it is text."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) else value


def _literal(text: str) -> str:
    """Return a name that is no pattern; raise ValueError for one with a *, which would match nothing."""
    if "*" in text:
        raise ValueError("contains a *; leave it out: longer names with this word, and all below it, match too")
    return text


def _folder(text: str) -> str:
    if not re.match(r"[/~]|[A-Za-z]:", text):
        raise ValueError("is not an absolute path; write for example ~/private")
    return text


def _is_safe(url: str) -> bool:
    """Return whether nobody on the way can read what is sent to an address."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # reading the port raises for an invalid one
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.fragment or not re.fullmatch(r"[!-~]+", url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _pattern(text: str) -> str:
    import regex  # slow to import, and needed only if there is a pattern

    try:
        regex.compile(text)
    except regex.error as error:
        raise ValueError(f"is not a regular expression ({error})") from error
    return text


def _of_action(name: Any) -> Any:
    """Return an operation that actions have; raise ValueError for another one, which would match nothing."""
    if name not in ACTIONS:
        raise ValueError(
            "is not an operation of an action; write file_access (also for saved files), web_visit, window_focus or "
            "process_start"
        )
    return name


Span = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta())]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[Word, AfterValidator(_literal)]
Site = Annotated[Word, AfterValidator(lambda text: _literal(text.removeprefix("*.")))]
Folder = Annotated[Name, AfterValidator(_folder)]
Pattern = Annotated[str, StringConstraints(min_length=1), AfterValidator(_pattern)]
ActionOperation = Annotated[Operation, BeforeValidator(_of_action)]
HoursOfDay = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$")]


class Section(BaseModel):
    """A table of memo.toml; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")
    at_once: ClassVar[bool] = False  # whether a running MEMO uses a change at once, and not only after `memo up`


FOCUS_SOURCES = ("x11", "sway", "wlroots", "desktop")  # of which at most one works on a desktop


class SourceSettings(Section):
    """Where events come from; `memo sources` lists the sources."""

    on: list[str] = [
        "inbox",
        "x11",
        "sway",
        "wlroots",
        "desktop",
        "processes",
        "web",
        "recent",
        "folders",
        "activitywatch",
    ]
    """Sources that run, if this machine has what they need."""
    system_processes: bool = False
    """Also record processes that belong to no app."""
    web_days: Days = 30
    """Days of browser history that are read at the first start."""
    recent_days: Days = 0
    """Days of recently used files that are read at the first start."""
    folders: list[str] = []
    """Folders whose files are watched, including subfolders."""
    noise_per_minute: Count = 30
    """Files below one of these folders that may change within a minute; MEMO ignores more as the work of a program."""
    activitywatch_url: str = ""
    """Address of an ActivityWatch server to follow, such as http://127.0.0.1:5600."""


class PrivacySettings(Section):
    """Rules that leave events out or change them before anything is stored; see docs/privacy.md."""

    at_once = True
    apps: list[Name] = []
    """Apps that are not recorded at all: no focus, visit, file, start, end or usage."""
    sites: list[Site] = []
    """Sites that are not recorded, including their subdomains: example.com also covers www.example.com."""
    folders: list[Folder] = []
    """Folders whose files are not recorded, including subfolders."""
    titles: list[Pattern] = []
    """Regular expressions that ignore case; an event is not recorded if its title or name matches one."""
    builtin: bool = True
    """Also leave out password managers, key rings, banks, health, adult sites and private windows."""
    chromium_titles: bool = False
    """Record window titles of Chromium, Chrome, Brave, Opera and Vivaldi, whose private windows look like any other."""
    titles_kept: Literal["full", "hashed", "none"] = "full"
    """Titles of windows and pages: full; hashed (a digest with this installation's key); none (app and site only)."""


class WindowSettings(Section):
    """The window, from which the predictor predicts."""

    size: Count = 5
    """Events in a window."""


class ModelSettings(Section):
    """The language model."""

    base: str = "builtin"
    """'builtin', or the folder or hub name of a causal LM that `memo model pull` fetched; see docs/base-models.md."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device that the model runs on; auto uses a GPU if there is one, but not for the small built-in model."""
    threads: Count = 1
    """CPU threads of the model that predicts."""


class PredictSettings(Section):
    """Predictions."""

    top: Count = 10
    """Candidates stored with each prediction."""
    stale_s: Count = 5
    """Seconds after which an unanswered request for a prediction is dropped; MEMO soon requests it again."""
    every: str = ""
    """Scope in which a prediction follows each event, not only the newest one; set by a lossless replay."""


class TrainSettings(Section):
    """Training of a version."""

    at_once = True
    epochs: Count = 3
    """Passes over the training stream."""
    rank: Count = 8
    """Rank of the LoRA matrices."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Peak learning rate of AdamW."""
    seed: int = 0
    """Seed of the random numbers: the same seed and data give the same adapter."""
    minimum_events: Count = 200
    """Minimum number of events to train on."""


class ScheduleSettings(Section):
    """Intervals of the periodic jobs, and limits of what is kept."""

    at_once = True
    retrain_actions: Count = 500
    """New human actions after which a version is trained."""
    retrain_every: Span = timedelta(days=7)
    """Seconds after which a version is trained, however few actions are new."""
    retrain_idle_s: Annotated[int, Field(ge=0)] = 600
    """Seconds without a human action before a training may start. 0: at once, whatever the power, memory and load."""
    evaluate_every: Span = timedelta(days=1)
    """Seconds between two evaluations of the active version."""
    prune_every: Span = timedelta(days=1)
    """Seconds between two prunings of old rows."""
    keep_predictions: Span = timedelta(days=365)
    """Seconds after which predictions and dispatches are deleted."""
    keep_events: Span = timedelta(days=730)
    """Seconds after which events are deleted, with the predictions made after them."""
    keep_mb: Annotated[int, Field(ge=0)] = 2000
    """Megabytes that the store may take; above that the oldest events are deleted. 0: no limit."""
    keep_versions: Count = 5
    """Newest versions kept besides the active one, the one that it replaced, and the best one."""


class DispatchSettings(Section):
    """Acts on predictions; see docs/handlers.md."""

    at_once = True
    on: list[str] = ["log", "record"]
    """Handlers that act; a handler that is only named in a route is dry: it is counted and does nothing."""
    routes: dict[ActionOperation, list[str]] = Field(
        default_factory=lambda: {operation: ["log", "record"] for operation in sorted(HUMAN.intersection(ACTIONS))}
    )
    """Handlers for what you do next: window_focus, web_visit or file_access; process_start for any program's start."""
    upcoming: dict[ActionOperation, list[str]] = Field(
        default_factory=lambda: {
            Operation.PROCESS_START: ["preload_app"],
            Operation.FILE_ACCESS: ["preload_file"],
            Operation.WEB_VISIT: ["preconnect_site"],
        }
    )
    """Handlers for what you will want soon: window_focus, web_visit, file_access or process_start (an app's start)."""
    minimum_probability: Share = 0.5
    """Minimum probability of a candidate that a handler acts on."""
    cooldown_s: Annotated[int, Field(ge=0)] = 60
    """Minimum seconds between two attempts of a handler at the same action."""
    budget_per_hour: Annotated[int, Field(ge=0)] = 120
    """Maximum attempts of each handler per hour."""
    budget_mb_per_hour: Annotated[int, Field(ge=0)] = 2000
    """Maximum megabytes that each handler reads per hour."""
    battery_percent: Annotated[int, Field(ge=0, le=100)] = 50
    """Battery charge in percent below which attempts with a cost are blocked while the machine runs on battery."""
    quiet_hours: HoursOfDay = ""
    """Hours in which nothing happens that you would notice, such as 22:00-07:30."""

    @property
    def routed(self) -> set[str]:
        """The handlers named in a route of operations that are predicted."""
        routes = [self.routes.get(operation, []) for operation in (*HUMAN, Operation.PROCESS_START)]
        return set().union(*routes, *(self.upcoming.get(operation, []) for operation in UPCOMING_OPERATIONS))


class LaunchSettings(Section):
    """The handler `launch_app`."""

    at_once = True
    apps: list[Word] = []
    """Apps that MEMO may start by itself, by their names in `memo watch`; empty: none."""


class WebhookSettings(Section):
    """The handler `webhook`; see docs/handlers-builtin.md."""

    at_once = True
    url: str = ""
    """Address that predictions are sent to: https, or http to this machine; empty: none."""
    secret: SecretStr = SecretStr("")
    """Key that signs each request, at least 16 characters."""

    @field_validator("url")
    @classmethod
    def _safe_url(cls, url: str) -> str:
        if url and not _is_safe(url):
            raise ValueError(
                "is not an address that predictions may be sent to; write https://HOST/PATH without a user, "
                "or http://127.0.0.1:PORT/PATH"
            )
        return url

    @model_validator(mode="after")
    def _has_secret(self) -> Self:
        if self.url and len(self.secret) < SECRET_LENGTH:
            raise ValueError(f"its secret has fewer than {SECRET_LENGTH} characters; choose a longer one")
        return self


class ExecSettings(Section):
    """The handler `exec`."""

    at_once = True
    command: list[str] = []
    """Program, by its absolute path, and its arguments; it reads a prediction on standard input. Empty: none."""

    @field_validator("command")
    @classmethod
    def _absolute_path(cls, command: list[str]) -> list[str]:
        if command and not os.path.isabs(command[0]):
            raise ValueError("does not begin with the absolute path of a program, such as /usr/local/bin/lights")
        return command


class PreconnectSettings(Section):
    """The handler `preconnect_site`."""

    at_once = True
    connect: bool = False
    """Also open a connection to the site and close it at once; otherwise only its name is resolved."""


class PreloadSettings(Section):
    """The handlers `preload_app` and `preload_file`."""

    at_once = True
    app_mb: Count = 300
    """Megabytes read for the start of one app."""
    file_mb: Count = 100
    """Maximum size of a document that is read, in megabytes."""
    seconds: Annotated[float, Field(gt=0)] = 20.0
    """Maximum seconds of one attempt, most of which are rests."""
    memory_pressure: Annotated[float, Field(ge=0, le=100)] = 10.0
    """Memory pressure at which reading stops: percent of the last 10 s in which programs waited for memory."""


class PickSettings(Section):
    """The list of `memo pick`; see docs/pick.md."""

    at_once = True
    first: Literal["previous", "likeliest"] = "previous"
    """The first line: previous (the place where you were before) or likeliest."""
    program: Literal["auto", "rofi", "wofi", "fuzzel", "dmenu", "fzf"] = "auto"
    """Program that shows the list: rofi, wofi, fuzzel, dmenu, fzf; auto is the first of them that fits the desktop."""


class McpSettings(Section):
    """What `memo mcp` tells an assistant; see docs/assistants.md."""

    at_once = True
    titles: bool = False
    """Also tell titles of windows; without them an assistant learns only the app."""


class Settings(BaseSettings):
    """All settings of MEMO."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid")

    scope: str = Field(default_factory=default_scope, pattern=SCOPE_PATTERN)
    """Person and machine whose events these are: user@host."""
    language: Literal["zh", "en"] = "en"
    """Language of event lines, of the commands that show them, of the page and of notifications: zh or en."""
    timezone: str = ""
    """IANA name of the time zone of lines without an offset; empty: the zone of this machine."""
    database_url: str = ""
    """SQLAlchemy URL of the store; empty: SQLite in MEMO_HOME."""
    broker_url: str = ""
    """URL of a Redis or AMQP broker; empty: the embedded one."""
    sources: SourceSettings = Field(default_factory=SourceSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)
    window: WindowSettings = Field(default_factory=WindowSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    predict: PredictSettings = Field(default_factory=PredictSettings)
    train: TrainSettings = Field(default_factory=TrainSettings)
    schedule: ScheduleSettings = Field(default_factory=ScheduleSettings)
    dispatch: DispatchSettings = Field(default_factory=DispatchSettings)
    launch: LaunchSettings = Field(default_factory=LaunchSettings)
    webhook: WebhookSettings = Field(default_factory=WebhookSettings)
    exec: ExecSettings = Field(default_factory=ExecSettings)
    preconnect: PreconnectSettings = Field(default_factory=PreconnectSettings)
    preload: PreloadSettings = Field(default_factory=PreloadSettings)
    pick: PickSettings = Field(default_factory=PickSettings)
    mcp: McpSettings = Field(default_factory=McpSettings)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            return name and ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("is not an IANA time zone; write for example Europe/Berlin") from error

    @property
    def zone(self) -> tzinfo:
        """The time zone of lines without an offset."""
        return ZoneInfo(self.timezone) if self.timezone else SYSTEM_ZONE

    def launches(self, action: Action) -> bool:
        """Return whether an action is the start of an app that `launch_app` starts by itself: it is on and routed."""
        is_on = "launch_app" in self.dispatch.routed & set(self.dispatch.on)
        return is_on and action.operation is Operation.PROCESS_START and action.target in self.launch.apps

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources by rank: flags, the environment, and memo.toml unless settings are only checked."""
        if settings_cls is _Unsaved:
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Home.find().config)

    @classmethod
    def load(cls, **flags: Any) -> "Settings":
        """Return the settings in force; a flag that is None was not given.

        Raises UsageError, which names the first wrong key and where it is set.
        """
        _refuse_unknown_variables()
        config = Home.find().config
        try:
            if config.exists() and not config.is_file():  # pydantic would ignore it
                raise UsageError(f"{config} is not a file; remove it, and `memo up` writes one with every key.")
            if config.exists():
                refuse_foreign(config)
            with _explained(str(config), lambda variable: f"correct it in {config} or in {variable}"):
                return cls(**{name: value for name, value in flags.items() if value is not None})
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"Cannot read {config} ({error}); correct or remove it.") from error
        except SettingsError as error:
            raise UsageError(f"A MEMO_ variable of the environment is not valid JSON ({error}); correct it.") from error

    @classmethod
    def check(cls, text: str) -> None:
        """Raise UsageError with the first fault of a text for memo.toml.

        Its keys rank above the environment here, so that a variable hides no wrong key.
        """
        with _explained("What you wrote", lambda variable: "nothing was changed"):
            _Unsaved(**tomllib.loads(text))


class _Unsaved(Settings):
    """Settings that are not read from memo.toml but given."""


@contextmanager
def _explained(text: str, remedy: Callable[[str], str]) -> Iterator[None]:
    """Raise what is wrong with a text of settings, or with a variable in its place, as one sentence of a UsageError."""
    try:
        yield
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{text} is not valid TOML ({error}); correct that line.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]")
        name = _variable(re.sub(r"(\.\d+)+$", "", key))  # a list is one variable
        unknown = first["type"] == "extra_forbidden"
        reason = "there is no setting of this name" if unknown else first["msg"].removeprefix("Value error, ")
        raise UsageError(f"Setting {key} is wrong: {reason}; {remedy(name)}.") from error


def _refuse_unknown_variables() -> None:
    """Raise UsageError for a variable that names no setting: pydantic ignores one with an unknown first word."""
    tables = _tables()
    for name in sorted(os.environ.keys() - NO_SETTINGS):
        first, nested, _ = name.removeprefix(PREFIX).lower().partition("__")
        known = first in tables if nested else first in Settings.model_fields
        if name.startswith(PREFIX) and not known:
            if nearest := _nearest(name):
                raise UsageError(f"{name} in the environment is not a setting; write {nearest}, or unset it.")
            raise UsageError(
                f"{name} in the environment is not a setting; unset it. `memo config get` lists all settings."
            )


def _nearest(name: str) -> str:
    """Return the variable of a setting whose name is like that of another variable; empty if none is."""
    from difflib import get_close_matches

    words = (_variable(key).removeprefix(PREFIX) for key in setting_keys())
    near = get_close_matches(name.removeprefix(PREFIX), words, n=1)
    return PREFIX + near[0] if near else ""


def _variable(key: str) -> str:
    """Return the environment variable of a key such as predict.top."""
    return PREFIX + key.replace(".", "__").upper()


def setting_keys() -> list[str]:
    """Return all keys in the order of memo.toml, such as language and predict.top."""
    tables = _tables()
    keys = [key for key in Settings.model_fields if key not in tables]
    return keys + [f"{table}.{key}" for table, section in tables.items() for key in section.model_fields]


def setting_of(settings: Settings, key: str) -> Any:
    """Return the value of a key. Raises UsageError, which names the nearest keys, if there is none of this name."""
    from difflib import get_close_matches

    names = setting_keys()
    if key not in names:
        last = [name for name in names if name.rpartition(".")[2] == key.rpartition(".")[2]]
        near = last or get_close_matches(key, names, cutoff=0.4) or get_close_matches(key, names, n=1, cutoff=0)
        raise UsageError(f"There is no setting {key}; the nearest are {', '.join(near)}. `memo config get` lists all.")
    table, _, name = key.rpartition(".")
    return getattr(getattr(settings, table) if table else settings, name)


def find_variable(key: str, environment: Mapping[str, str]) -> str:
    """Return the variable of an environment that sets a key; empty if none does."""
    table, _, word = key.rpartition(".")
    variable = _variable(key)
    for name, value in environment.items():
        if name.upper() == variable or name.upper().startswith(f"{variable}__"):
            return name
        if table and name.upper() == _variable(table) and word in json.loads(value):
            return name
    return ""


def find_origin(key: str) -> str:
    """Return where the value of a key comes from: default, file or environment."""
    if find_variable(key, os.environ):
        return "environment"
    found: Any = TomlConfigSettingsSource(Settings, Home.find().config)()
    for word in key.split("."):
        if word not in found:
            return "default"
        found = found[word]
    return "file"


def tables_at_once() -> list[str]:
    """Return the tables of which a running MEMO uses a change at once."""
    return [name for name, section in _tables().items() if section.at_once]


def _tables() -> dict[str, type[Section]]:
    """Return the tables of memo.toml by name."""
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def default_toml() -> str:
    """Return the text of a memo.toml that holds each key with its default, commented out."""
    lines = [
        "# MEMO's settings: every key with its default. To change one, remove the '# ' before it and before",
        "# the [table] line above it; or use `memo config set KEY VALUE`.",
        "",
    ]
    lines += _keys(Settings)
    for name, section in _tables().items():
        lines += ["", f"# [{name}]", *_keys(section)]
    return "\n".join(lines) + "\n"


def _keys(model: type[BaseModel]) -> list[str]:
    lines, comments = [], read_comments(model)
    for name, field in model.model_fields.items():
        value = field.get_default(call_default_factory=True, validated_data={})
        if not isinstance(value, BaseModel):
            lines.append(f"# {name} = {as_toml(value)}  # {comments[name]}")
    return lines


def read_comments(model: type) -> dict[str, str]:
    """Return the attribute docstrings of a class by name; pydantic would read them at each start of each process."""
    import ast
    import inspect

    statements = pairwise(_read_classes(inspect.getfile(model))[model.__name__])
    return {
        str(getattr(field.target, "id", "")): str(ast.literal_eval(comment.value))
        for field, comment in statements
        if isinstance(field, ast.AnnAssign) and isinstance(comment, ast.Expr)
    }


@cache
def _read_classes(file: str) -> dict[str, list[Any]]:
    """Return the statements of a module's classes by name; `inspect` would parse the module again for each class."""
    import ast

    module = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: node.body for node in module.body if isinstance(node, ast.ClassDef)}


def as_toml(value: Any) -> str:
    """Return a value as memo.toml has it; a secret is hidden."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {json.dumps(inner)}' for key, inner in value.items())}}}"
    return json.dumps(value.total_seconds() if isinstance(value, timedelta) else value, default=str)
