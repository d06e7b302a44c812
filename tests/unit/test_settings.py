"""Settings: their sources, the errors that name a wrong one, and the home folder."""

import re
import time
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import platformdirs
import pytest
from pydantic import BaseModel

from cli.stack.first_run import unknown_zone_notice
from memo.config.settings_file import write_default
from memo.core import system_zone
from memo.core.errors import UsageError
from memo.core.events import default_scope
from memo.core.paths import Home
from memo.core.settings import SCOPE_PATTERN, Settings, default_toml
from memo.stack.spawn import PARENT


def wrong(*words: str, **flags: Any) -> str:
    """Load wrong settings; return the error, which contains these words."""
    with pytest.raises(UsageError) as raised:
        Settings.load(**flags)
    said = str(raised.value)
    assert [word for word in words if word not in said] == [], said
    assert "\n" not in said
    return said


def test_load_without_a_file_gives_the_defaults(home: Home) -> None:
    settings = Settings.load()
    assert (settings.scope, settings.language, settings.window.size) == (default_scope(), "en", 5)
    assert (settings.database_url, settings.broker_url, settings.timezone) == ("", "", "")
    assert not home.config.exists()


def test_load_ranks_flags_environment_file_and_defaults(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.config.write_text('[predict]\ntop = 2\nstale_s = 2\nevery = "a@b"\n')
    monkeypatch.setenv("MEMO_PREDICT__TOP", "3")
    monkeypatch.setenv("MEMO_PREDICT__STALE_S", "3")
    predict = Settings.load(predict={"top": 4}).predict
    assert (predict.top, predict.stale_s, predict.every) == (4, 3, "a@b")
    assert Settings.load().train.seed == 0


def test_load_reads_keys_and_tables_of_the_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_LANGUAGE", "zh")
    monkeypatch.setenv("MEMO_SCHEDULE__RETRAIN_EVERY", "60")
    monkeypatch.setenv("MEMO_DISPATCH__ROUTES", '{"web_visit": ["log"]}')
    settings = Settings.load()
    assert settings.language == "zh"
    assert settings.schedule.retrain_every == timedelta(minutes=1)
    assert settings.dispatch.routes == {"web_visit": ["log"]}


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ('language = "fr"', "language"),
        ('langauge = "en"', "langauge"),
        ('scope = "../x"', "scope"),
        ('timezone = "Mars/Base"', "timezone"),
        ('timezone = "../etc/passwd"', "timezone"),
        ("window = 3", "window"),
        ("[window]\nsize = 0", "window.size"),
        ("[window]\nsizes = 3", "window.sizes"),
        ("[train]\nlearning_rate = nan", "train.learning_rate"),
        ("[schedule]\nretrain_every = 0", "schedule.retrain_every"),
        ("[schedule]\nkeep_predictions = -1", "schedule.keep_predictions"),
        ("[dispatch]\nminimum_probability = 1.1", "dispatch.minimum_probability"),
        ("[dispatch.routes]\nthink = []", "dispatch.routes.think"),
        ("[dispatch.routes]\nfile_save = []", "dispatch.routes.file_save"),
        ("[dispatch.upcoming]\nfile_save = []", "dispatch.upcoming.file_save"),
        ('[privacy]\napps = ["*signal*"]', "privacy.apps.0"),
        ('[privacy]\nsites = ["*.a.example", "b*.example"]', "privacy.sites.1"),
        ('[privacy]\nfolders = ["~/private/*"]', "privacy.folders.0"),
    ],
)
def test_load_names_a_wrong_key_of_the_file(toml: str, key: str, home: Home) -> None:
    home.config.write_text(toml)
    said = wrong(f"Setting {key} is wrong: ", f"correct it in {home.config} or in MEMO_")
    assert "Value error" not in said


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("MEMO_LANGUAGE", "", "language"),
        ("MEMO_WINDOW__SIZE", "many", "window.size"),
        ("MEMO_WINDOW__SIZES", "3", "window.sizes"),
        ("MEMO_WINDOW", "3", "window"),
        ("MEMO_PREDICT__TOP", "perhaps", "predict.top"),
        ("MEMO_MODEL__DEVICE", "tpu", "model.device"),
    ],
)
def test_load_names_a_wrong_key_of_the_environment(
    name: str, value: str, key: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    wrong(f"Setting {key} is wrong", name)


def test_route_of_no_action_is_told_which_there_are(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_DISPATCH__ROUTES__FILE_SAVE", '["log"]')
    said = wrong("file_access (also for saved files)", "correct it", "MEMO_DISPATCH__ROUTES__FILE_SAVE")
    assert said.count("file_save") == 1, "it is not offered"


@pytest.mark.parametrize("name", ["MEMO_WINDOW", "MEMO_DISPATCH__ROUTES"])
def test_load_names_a_variable_that_is_not_json(name: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "{nope")
    wrong("environment", "JSON", name.split("_")[1].lower())


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("MEMO_PREDCIT__TOP", "MEMO_PREDICT__TOP"),
        ("MEMO_PREDICT_TOP", "MEMO_PREDICT__TOP"),
        ("MEMO_LANGAUGE", "MEMO_LANGUAGE"),
        ("MEMO_LANGUAGE__EN", "MEMO_LANGUAGE"),
        ("MEMO_DATABASE", "MEMO_DATABASE_URL"),
    ],
)
def test_load_refuses_an_unknown_variable_with_the_nearest(
    name: str, nearest: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "3")
    wrong(f"{name} in the environment is not a setting; write {nearest}")


@pytest.mark.parametrize("name", ["MEMO_FOO", "MEMO_", "MEMO_FOO__TOP"])
def test_load_names_no_setting_that_is_not_near(name: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "3")
    wrong(f"{name} in the environment is not a setting; unset it. `memo config get` lists all settings.")


def test_load_ignores_variables_that_are_not_settings(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PARENT, "MEMO_TEST_STRICT", "MEMO_EVENT_FILES", "MEMORY", "memo_x"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("MEMO_DISPATCH__ROUTES__WEB_VISIT", '["log"]')
    assert Settings.load().dispatch.routes == {"web_visit": ["log"]}


def test_load_refuses_an_unknown_key(home: Home) -> None:
    home.config.write_text("[privacy]\napp = ['signal']\n")
    wrong("Setting privacy.app is wrong: there is no setting of this name")


def test_load_names_a_wrong_flag(home: Home) -> None:
    wrong("Setting scope is wrong", scope="a/b")


@pytest.mark.parametrize("toml", ["window =", "[window", "a = 1\na = 2", "a = " + "[" * 5000])
def test_load_refuses_invalid_toml(toml: str, home: Home) -> None:
    home.config.write_text(toml)
    wrong(f"{home.config} is not valid TOML (", "correct that line")


def test_load_refuses_a_file_that_is_not_utf8(home: Home) -> None:
    home.config.write_bytes(b'scope = "\xff"')
    wrong(f"Cannot read {home.config} (", "correct or remove it")


def test_load_refuses_a_folder_in_place_of_the_file(home: Home) -> None:
    home.config.mkdir()
    wrong(f"{home.config} is not a file; remove it")


def test_load_refuses_a_file_without_permission(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("memo.core.settings.TomlConfigSettingsSource", refuse)
    wrong(f"Cannot read {home.config} (", "Permission denied")


def uncommented(toml: str) -> str:
    return re.sub(r"^# (?=\[|\w+ = )", "", toml, flags=re.M)


def test_default_toml_changes_nothing_commented_or_not(home: Home) -> None:
    before = Settings.load()
    home.config.write_text(default_toml(), encoding="utf-8")
    assert tomllib.loads(default_toml()) == {}
    assert Settings.load() == before
    home.config.write_text(uncommented(default_toml()), encoding="utf-8")
    assert Settings.load() == before


def test_default_toml_explains_every_key() -> None:
    written = tomllib.loads(uncommented(default_toml()))
    assert list(written) == list(Settings.model_fields)
    for name, section in Settings().__dict__.items():
        if isinstance(section, BaseModel):
            assert list(written[name]) == list(type(section).model_fields)
    lines = [line for line in default_toml().splitlines() if " = " in line]
    assert [line for line in lines if not re.search(r"  # [A-Z'].+[.]$", line)] == []


@pytest.mark.parametrize("scope", ["ada@host", "名@主机", "a", "replay@x.y", "a b"])
def test_scope_accepts_any_name_of_a_folder(scope: str, home: Home) -> None:
    assert Settings.load(scope=scope).scope == scope
    assert re.fullmatch(SCOPE_PATTERN, scope)


@pytest.mark.parametrize("scope", ["", ".", "..", ".a", "a/b", "/a", "a\\b", "a\n", "a\0b"])
def test_scope_refuses_what_cannot_name_a_folder(scope: str, home: Home) -> None:
    wrong("Setting scope is wrong", scope=scope)
    assert not re.fullmatch(SCOPE_PATTERN, scope)


def test_zone_is_the_one_set_or_this_machines(home: Home) -> None:
    assert Settings.load(timezone="Asia/Shanghai").zone == ZoneInfo("Asia/Shanghai")
    assert Settings.load().zone is not None


def test_home_folders_are_their_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_HOME", str(tmp_path / "deep" / "home"))
    home = Home.find()
    for folder in (home.root, home.run, home.logs, home.models, home.inbox, home.rejects):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert home.config == home.root / "memo.toml"
    assert home.database_url == f"sqlite:///{home.root}/memo.db"
    assert Home.find() == home


def test_settings_file_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.delenv("MEMO_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "deep"))
    write_default(home)
    modes = [home.config.parent.stat().st_mode & 0o777, home.config.stat().st_mode & 0o777]
    assert (home.config, modes) == (tmp_path / "deep" / "memo" / "memo.toml", [0o700, 0o600])


def test_home_may_be_relative_to_the_user_or_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for named in ("~/a", "a"):
        monkeypatch.setenv("MEMO_HOME", named)
        assert Home.find().root == tmp_path / "a"


@pytest.mark.parametrize("named", [None, ""])
def test_home_without_memo_home_is_the_platforms_folder(
    named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("MEMO_HOME", raising=False)
    if named is not None:
        monkeypatch.setenv("MEMO_HOME", named)
    home = Home.find()
    assert home.root == platformdirs.user_data_path("memo")
    assert home.config == platformdirs.user_config_path("memo") / "memo.toml"
    assert home.root.is_relative_to(tmp_path) and home.config.is_relative_to(tmp_path)


def test_home_that_cannot_be_used_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for named in (
        str(tmp_path / "file"),
        str(tmp_path / "file" / "below"),
        "/proc/memo",
        "/" + "x" * 300,
        "~nobody-here",
    ):
        monkeypatch.setenv("MEMO_HOME", named)
        for read in (Home.find, Settings.load):
            with pytest.raises(UsageError, match=f"^Cannot use MEMO_HOME {named} \\(.+\\); (choose|write)"):
                read()


@pytest.fixture
def zone_of_tz(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], tzinfo]]:
    def chosen(tz: str) -> tzinfo:
        monkeypatch.setenv("TZ", tz)
        system_zone._renew_zone.cache_clear()
        return Settings.load().zone

    yield chosen
    monkeypatch.undo()
    time.tzset()


def offset_h(zone: tzinfo, at: datetime) -> float:
    offset = at.replace(tzinfo=zone).utcoffset()
    assert offset is not None
    return offset / timedelta(hours=1)


@pytest.mark.parametrize(
    ("tz", "winter", "summer"),
    [
        ("ABC-9", 9, 9),
        ("<+0530>-5:30", 5.5, 5.5),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 1, 2),
        (":America/New_York", -5, -4),
        ("Nowhere/Town", 0, 0),
    ],
)
def test_this_machines_zone_is_what_libc_makes_of_it(
    tz: str, winter: float, summer: float, home: Home, zone_of_tz: Callable[[str], tzinfo]
) -> None:
    zone = zone_of_tz(tz)
    assert (offset_h(zone, datetime(2026, 1, 5)), offset_h(zone, datetime(2026, 7, 5))) == (winter, summer)
    for month in (1, 7):
        moment = datetime(2026, month, 5, 12, 30, 5, 250_001, tzinfo=UTC)
        assert moment.astimezone(zone).astimezone(UTC) == moment


def test_this_machines_zone_may_change(home: Home, zone_of_tz: Callable[[str], tzinfo]) -> None:
    at = datetime(2026, 3, 2, 9)
    zone = zone_of_tz("ABC-9")
    assert offset_h(zone, at) == 9
    zone_of_tz("XYZ+3")
    assert offset_h(zone, at) == -3
    assert system_zone.local_now().utcoffset() == timedelta(hours=-3)


def test_an_hour_that_comes_twice_is_two_hours(home: Home, zone_of_tz: Callable[[str], tzinfo]) -> None:
    zone = zone_of_tz("CET-1CEST,M3.5.0,M10.5.0/3")
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC).astimezone(zone) for hour in (0, 1))
    assert (first.hour, first.fold, second.hour, second.fold) == (2, 0, 2, 1)
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)


@pytest.mark.parametrize("year", [1, 9999])
def test_a_time_that_no_clock_shows_has_an_offset(year: int, home: Home, zone_of_tz: Callable[[str], tzinfo]) -> None:
    assert datetime(year, 1, 1, tzinfo=zone_of_tz("ABC-9")).utcoffset() is not None


@pytest.mark.parametrize(
    "tz", ["", "Europe/Berlin", ":Europe/Berlin", "ABC-9", "<+03>-3", "CET-1CEST,M3.5.0,M10.5.0/3"]
)
def test_a_zone_that_the_system_knows_is_no_notice(tz: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", tz)
    assert unknown_zone_notice(home, Settings.load()) == ""


def test_a_zone_that_nobody_knows_gets_the_remedy(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Nowhere/Town")
    assert "Nowhere/Town" in unknown_zone_notice(home, Settings.load())
    assert unknown_zone_notice(home, Settings.load(timezone="Europe/Berlin")) == ""
