"""Settings: defaults < memo.toml < MEMO_… environment < flags, read once at each door."""

import json
import os
import re
import tomllib
from datetime import timedelta, tzinfo
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal
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
from memo.core.events import Operation, default_scope
from memo.core.paths import Home

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
PREFIX = "MEMO_"
NO_SETTINGS = {"MEMO_HOME", "MEMO_PARENT", "MEMO_TEST_STRICT", "MEMO_EVENT_FILES"}
"""Variables that other modules read (paths, process_specs), or tests and benchmarks."""
SECRET_LENGTH = 16
"""Characters that a secret has at least."""
SCOPE_PATTERN = r"^[^/\\\x00-\x1f.][^/\\\x00-\x1f]*$"
"""What a scope may be called: it is also the name of a folder."""


def _seconds(value: Any) -> Any:
    """A number of seconds is text in the environment."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) else value


def _literal(text: str) -> str:
    """A name of which what is below it, or has it among its words, is meant too; as a pattern it would mean nothing."""
    if "*" in text:
        raise ValueError("has a *; leave it out: names with this word in them, and all below it, are meant too")
    return text


def _folder(text: str) -> str:
    if not re.match(r"[/~]|[A-Za-z]:", text):
        raise ValueError("is no whole path; write for example ~/private")
    return text


def _is_safe(url: str) -> bool:
    """Whether what is sent to an address can be read by nobody on the way."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # the port is looked at for its faults alone
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
    import regex  # only where there is a pattern: `memo status` shall not wait for it

    try:
        regex.compile(text)
    except regex.error as error:
        raise ValueError(f"is no regular expression ({error})") from error
    return text


Span = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta())]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[Word, AfterValidator(_literal)]
Site = Annotated[Word, AfterValidator(lambda text: _literal(text.removeprefix("*.")))]
Folder = Annotated[Name, AfterValidator(_folder)]
Pattern = Annotated[str, StringConstraints(min_length=1), AfterValidator(_pattern)]
HoursOfDay = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$")]


class Section(BaseModel):
    """A table of memo.toml; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class SourceSettings(Section):
    """What notices what you do; `memo sources` lists them."""

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
    """Those that run, where this machine has what they need."""
    system_processes: bool = False
    """Also processes that belong to no app."""
    web_days: Annotated[int, Field(ge=0)] = 30
    """Days of a browser's past that are read at the first time."""
    folders: list[str] = []
    """Folders whose files are watched, with all below them."""
    noise_per_minute: Count = 30
    """More changes in a minute below one of them are a program's work, not a person's."""
    activitywatch_url: str = ""
    """Address of an ActivityWatch server that is followed, such as http://127.0.0.1:5600."""


class PrivacySettings(Section):
    """What is kept out before anything is stored; docs/privacy.md says how."""

    apps: list[Name] = []
    """Apps of which nothing is kept: no focus, visit, file, start, end or use."""
    sites: list[Site] = []
    """Sites of which nothing is kept, with those below them: example.com is also www.example.com."""
    folders: list[Folder] = []
    """Folders of whose files nothing is kept, with all below them."""
    titles: list[Pattern] = []
    """Regular expressions, in any case; what has a title or a name in which one is found is not kept."""
    builtin: bool = True
    """Nothing of password managers, key rings, banks, health, adult sites and private windows is kept either."""
    chromium_titles: bool = False
    """Window titles of Chromium, Chrome, Brave, Opera and Vivaldi are kept; their private windows look the same."""
    titles_kept: Literal["full", "hashed", "none"] = "full"
    """Titles of windows and pages: as they are, as a digest that only this MEMO can make, or the app and site alone."""


class WindowSettings(Section):
    """What the predictor is asked with."""

    size: Count = 5
    """Events in a window."""


class ModelSettings(Section):
    """The language model."""

    base: str = "builtin"
    """'builtin', a folder, or a hub name such as Qwen/Qwen3-0.6B: any causal LM that transformers loads."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto takes a GPU where there is one."""
    threads: Count = 1
    """CPU threads of the serving model."""


class PredictSettings(Section):
    """How predictions are made."""

    top: Count = 10
    """Candidates kept of each prediction."""
    stale_s: Count = 5
    """An ask older than this is dropped; the next tick asks again."""
    every: str = ""
    """The scope of which each event is predicted, not only the newest: that of a lossless replay."""


class TrainSettings(Section):
    """How a version is made."""

    epochs: Count = 3
    """Passes over the training stream."""
    rank: Count = 8
    """Rank of the LoRA matrices."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Peak learning rate of AdamW."""
    seed: int = 0
    """The same seed and data give the same adapter."""
    minimum_events: Count = 200
    """Below this many events nothing is trained."""


class ScheduleSettings(Section):
    """How often the periodic jobs are due; in seconds."""

    retrain_every: Span = timedelta(days=1)
    """Time between two trainings."""
    evaluate_every: Span = timedelta(days=1)
    """Time between two evaluations of the active version."""
    prune_every: Span = timedelta(days=1)
    """Time between two prunings of what is old."""
    keep_predictions: Span = timedelta(days=365)
    """Predictions and dispatches older than this are pruned."""
    keep_events: Span = timedelta(days=730)
    """Events older than this are pruned, with what was predicted after them."""
    keep_mb: Annotated[int, Field(ge=0)] = 2000
    """Megabytes of the store; above it the oldest events are pruned. 0: no bound."""
    keep_versions: Count = 5
    """Versions kept beside the active one."""


class DispatchSettings(Section):
    """What predictions set off; docs/handlers.md says how."""

    on: list[str] = ["log", "record"]
    """Handlers that act; one that a route names and this does not is dry: counted, and nothing is done."""
    routes: dict[Operation, list[str]] = Field(
        default_factory=lambda: {operation: ["log", "record"] for operation in Operation}
    )
    """Operation of what comes next -> names of handlers."""
    upcoming: dict[Operation, list[str]] = Field(
        default_factory=lambda: {
            Operation.PROCESS_START: ["preload_app"],
            Operation.FILE_ACCESS: ["preload_file"],
            Operation.WEB_VISIT: ["preconnect_site"],
        }
    )
    """Operation of what is upcoming -> names of handlers."""
    minimum_probability: Share = 0.5
    """Candidates below this are not acted on."""
    cooldown_s: Annotated[int, Field(ge=0)] = 60
    """Seconds before a handler acts on the same action again."""
    budget_per_hour: Annotated[int, Field(ge=0)] = 120
    """Acts per hour, of each handler."""
    budget_mb_per_hour: Annotated[int, Field(ge=0)] = 2000
    """Megabytes read per hour, by each handler."""
    battery_percent: Annotated[int, Field(ge=0, le=100)] = 50
    """On battery and below this charge, nothing that costs is done."""
    quiet_hours: HoursOfDay = ""
    """Hours without anything that you would notice, such as 22:00-07:30."""

    @property
    def routed(self) -> set[str]:
        """The handlers to which something is routed."""
        return set().union(*self.routes.values(), *self.upcoming.values())


class LaunchSettings(Section):
    """The handler `launch_app`."""

    apps: list[Word] = []
    """Apps that MEMO may start by itself, by their names in `memo watch`; none: it starts nothing."""


class WebhookSettings(Section):
    """The handler `webhook`; docs/handlers-builtin.md says what it sends."""

    url: str = ""
    """Where predictions are sent: https, or http to this machine; empty: nowhere."""
    secret: SecretStr = SecretStr("")
    """Key of the signature of what is sent, at least 16 characters."""

    @field_validator("url")
    @classmethod
    def _safe_url(cls, url: str) -> str:
        if url and not _is_safe(url):
            raise ValueError(
                "is no address that predictions may be sent to; write https://HOST/PATH without a user, "
                "or http://127.0.0.1:PORT/PATH"
            )
        return url

    @model_validator(mode="after")
    def _has_secret(self) -> Self:
        if self.url and len(self.secret) < SECRET_LENGTH:
            raise ValueError(f"its secret has less than {SECRET_LENGTH} characters; write a longer one")
        return self


class ExecSettings(Section):
    """The handler `exec`."""

    command: list[str] = []
    """Program, by its whole path, and arguments: each prediction is its standard input; none: nothing is run."""

    @field_validator("command")
    @classmethod
    def _whole_path(cls, command: list[str]) -> list[str]:
        if command and not os.path.isabs(command[0]):
            raise ValueError("does not begin with the whole path of a program; write for example /usr/local/bin/lights")
        return command


class PreconnectSettings(Section):
    """The handler `preconnect_site`."""

    connect: bool = False
    """Also open a connection to the site, and close it at once; else its name is looked up only."""


class PreloadSettings(Section):
    """The handlers `preload_app` and `preload_file`."""

    app_mb: Count = 300
    """Megabytes read for the start of one app."""
    file_mb: Count = 100
    """A document larger than this is not read."""
    seconds: Annotated[float, Field(gt=0)] = 20.0
    """Longest time of one go, most of which is rest."""
    memory_pressure: Annotated[float, Field(ge=0, le=100)] = 10.0
    """Reading ends where programs waited for memory for more than this percent of the last 10 s."""


class Settings(BaseSettings):
    """All settings of MEMO."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", use_attribute_docstrings=True
    )

    scope: str = Field(default_factory=default_scope, pattern=SCOPE_PATTERN)
    """Whose events these are: user@host."""
    language: Literal["zh", "en"] = "en"
    """Language in which lines are written and shown."""
    timezone: str = ""
    """IANA name of the zone of lines without an offset; empty: this machine's."""
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

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            return name and ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("is no IANA time zone; write for example Europe/Berlin") from error

    @property
    def zone(self) -> tzinfo:
        """The zone of lines without an offset."""
        return ZoneInfo(self.timezone) if self.timezone else tzlocal.get_localzone()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment, then memo.toml."""
        toml = TomlConfigSettingsSource(settings_cls, Home.find().config)
        return init_settings, env_settings, toml

    @classmethod
    def load(cls, **flags: Any) -> "Settings":
        """The settings in force. Raises UsageError, which names the first wrong key and its place."""
        _refuse_unknown_variables()
        config = Home.find().config
        try:
            if config.exists() and not config.is_file():  # else it would be passed over
                raise UsageError(f"{config} is no file; remove it, and `memo up` writes one with every key.")
            return cls(**flags)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"{config} is not valid TOML ({error}); mend that line.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{config} can't be read ({error}); mend or remove it.") from error
        except SettingsError as error:
            raise UsageError(f"A MEMO_ variable of the environment is not valid JSON ({error}); mend it.") from error
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            name = _variable(re.sub(r"(\.\d+)+$", "", key))  # a list is one variable
            unknown = first["type"] == "extra_forbidden"
            reason = "there is none of this name" if unknown else first["msg"].removeprefix("Value error, ")
            raise UsageError(f"Setting {key} is wrong: {reason}. Mend it in {config} or in {name}.") from error


def _refuse_unknown_variables() -> None:
    """Pydantic passes over a variable whose first word it does not know; in memo.toml such a key is an error."""
    tables = _tables()
    for name in sorted(os.environ.keys() - NO_SETTINGS):
        first, nested, _ = name.removeprefix(PREFIX).lower().partition("__")
        known = first in tables if nested else first in Settings.model_fields
        if name.startswith(PREFIX) and not known:
            raise UsageError(f"{name} in the environment is no setting; write {_nearest(name)}, or unset it.")


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    tables = _tables()
    keys = [key for key in Settings.model_fields if key not in tables]
    keys += [f"{table}.{key}" for table, section in tables.items() for key in section.model_fields]
    return get_close_matches(name, map(_variable, keys), n=1, cutoff=0)[0]


def _variable(key: str) -> str:
    """The name of a key, such as predict.top, in the environment."""
    return PREFIX + key.replace(".", "__").upper()


def _tables() -> dict[str, type[Section]]:
    """The tables of memo.toml."""
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def default_toml() -> str:
    """A memo.toml that holds each key with its default, commented out."""
    lines = ["# MEMO's settings. Every key stands here with its default; remove the '# ' to change one.", ""]
    lines += _keys(Settings)
    for name, section in _tables().items():
        lines += ["", f"# [{name}]", *_keys(section)]
    return "\n".join(lines) + "\n"


def _keys(model: type[BaseModel]) -> list[str]:
    lines = []
    for name, field in model.model_fields.items():
        value = field.get_default(call_default_factory=True, validated_data={})
        if not isinstance(value, BaseModel):
            lines.append(f"# {name} = {_toml(value)}  # {field.description}")
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {json.dumps(inner)}' for key, inner in value.items())}}}"
    return json.dumps(value.total_seconds() if isinstance(value, timedelta) else value, default=str)
