"""Unit tests of the configuration: sources, precedence, errors, defaults."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.config.loader import describe_errors, load
from daemon.config.schema import Config
from daemon.errors import ConfigurationError
from rules.model.events import EventType
from rules.settings.catalog import STYLES, TEXTS
from rules.settings.goals import Goal, GoalMetric


def test_the_environment_overrides_credentials_which_override_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[mongodb]\nuri = "mongodb://file"\ndatabase = "from_file"\n[http]\nport = 1\n')
    (tmp_path / "mongodb-uri").write_text("mongodb://credential\n")
    config = load(file, {"CREDENTIALS_DIRECTORY": str(tmp_path), "CHATELLO_HTTP__PORT": "2"})

    assert config.mongodb.uri.get_secret_value() == "mongodb://credential"
    assert (config.mongodb.database, config.http.port) == ("from_file", 2)
    assert "credential" not in repr(config)


def test_an_empty_credential_is_ignored_and_an_unreadable_one_is_a_configuration_error(tmp_path: Path) -> None:
    credential = tmp_path / "mongodb-uri"
    credential.write_text("\n")
    assert load(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == Config()
    credential.write_bytes(b"mongodb://canary:\xff")
    with pytest.raises(ConfigurationError) as raised:
        load(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert str(credential) in str(raised.value)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[http]\ntoken = "canary-canary-canary"', "http.token"),
        ('[mongodb]\nuri = "mongodb://u:canary@host"', "mongodb.uri"),
    ],
)
def test_a_secret_in_a_world_readable_file_is_rejected(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match=f"contains {key} and is world-readable") as raised:
        load(file, {})
    file.chmod(0o640)

    assert "canary" not in str(raised.value)
    assert load(file, {})


MISPLACED = "mongodb://user:canary@host/shop"


@pytest.mark.parametrize(
    "text",
    [
        f'mongodb = "{MISPLACED}"',
        f'[[mongodb]]\nuri = "{MISPLACED}"',
        'http = "canary-canary-canary"',
        f'[mongodb]\ndatabase = "{MISPLACED}"',
        f'[mongodb]\nurl = "{MISPLACED}"',
        f'[http]\nhost = "{MISPLACED}"',
        f'[rules]\nrates = "{MISPLACED}"',
    ],
)
def test_a_secret_in_the_wrong_setting_is_an_error_that_does_not_show_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"mongodb|http|rates") as raised:
        load(file, {})

    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("at", ['"06:00+02:00"', '"25:00"', "600", "true", "[6, 0]"])
def test_the_time_of_the_rollup_must_be_a_time_of_day_without_a_zone(tmp_path: Path, at: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[time]\nrollup_at = {at}")
    with pytest.raises(ConfigurationError, match=r"time\.rollup_at: "):
        load(file, {})


def test_a_list_in_an_environment_variable_is_separated_by_commas() -> None:
    config = load(None, {"CHATELLO_HTTP__HOSTS": "a.example, b.example", "CHATELLO_RULES__PLAN_ORDER": "pro,starter"})

    assert config.http.hosts == ("a.example", "b.example")
    assert config.rules.plan_order == ("pro", "starter")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CHATELLO_HTTP__PORT", "0"), ("CHATELLO_LOGS__LEVEL", "loud"), ("CHATELLO_TIME__ZONE", "localtime")],
)
def test_an_invalid_value_is_an_error_with_key_and_value(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(None, {variable: value})

    assert variable.removeprefix("CHATELLO_").lower().replace("__", ".") in str(raised.value)
    assert repr(value) in str(raised.value)


def test_the_shipped_configuration_file_contains_the_defaults(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[3] / "deploy" / "config.toml").read_text()
    uncommented = tmp_path / "config.toml"
    without_examples = re.sub(r"^# (company_birthday|renamed) = .*$", "", shipped, flags=re.MULTILINE)
    uncommented.write_text(
        re.sub(r'^# (?=(\w+|"[^"]+") = )', "", without_examples, flags=re.MULTILINE).replace("{ USD = 0.92 }", "{}")
    )

    assert load(Path("deploy/config.toml"), {}) == Config()
    assert load(uncommented, {}) == Config()
    for key in _keys(Config().model_dump(exclude={"webhooks", "notify"})):
        assert re.search(f'^# "?{key}"? = ', shipped, re.MULTILINE), f"{key} is not in deploy/config.toml"


def test_the_custom_rules_in_the_documentation_are_valid(tmp_path: Path) -> None:
    shown = re.findall(r"```toml\n(\[\[rules\.custom\]\].*?)```", Path("docs/configuration.md").read_text(), re.DOTALL)
    shown.append(re.sub(r"^# {3}", "", Path("deploy/config.toml").read_text(), flags=re.MULTILINE))
    for number, text in enumerate(shown):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)

        assert len(load(file, {}).rules.custom) == 1


WRONG_RULES = [
    ({"thresholds": {"custmers": [1]}}, "rules.thresholds.custmers: unknown setting"),
    ({"thresholds": {"customers": [5, 5]}}, "rules.thresholds: customers must be positive numbers in ascending order"),
    (
        {"thresholds": {"calendar": {"own_dates": {"5-20": "x"}}}},
        'own_dates: must be "MM-DD", such as "05-20", got \'5-20\'',
    ),
    ({"thresholds": {"calendar": {"own_dates": {"02-30": "x"}}}}, "got '02-30'"),
    ({"thresholds": {"calendar": {"country": "XX"}}}, "calendar.country: must be a country of the holidays library"),
    ({"thresholds": {"calendar": {"subdivision": "ZZ"}}}, "calendar.subdivision: must be one of AG, AL, "),
    (
        {"thresholds": {"calendar": {"language": "tlh"}}},
        "calendar.language: must be one of en_US, it_IT, th, got 'tlh'",
    ),
    ({"thresholds": {"plan_change_minutes": -5}}, "plan_change_minutes must be a number from 0 to 1000000000, got -5"),
    ({"thresholds": {"growth_days": 0}}, "growth_days must be a number from 1 to 36500, got 0"),
    ({"thresholds": {"record_cooldown_days": 10**9}}, "record_cooldown_days must be a number from 0 to 36500"),
    ({"thresholds": {"deviations": float("nan")}}, "deviations must be a number from 0 to"),
    ({"rates": {"USD": -1}}, "rules.rates.USD: Input should be greater than 0, got -1"),
    ({"rates": {"USD": 0}}, "rules.rates.USD: Input should be greater than 0, got 0"),
    ({"texts": {"new_client": "x"}}, "rules.texts: new_client: unknown key; expected one of new_customer, "),
    ({"texts": {"new_customer": "Ecco {nome}"}}, "new_customer: must be a text with no other fields than {name}, got"),
    ({"texts": {"new_customer": " "}}, "new_customer: must be a text"),
    ({"styles": {"new_custmer": {"rank": 1}}}, "rules.styles: new_custmer: unknown key"),
    ({"styles": {"new_customer": {"rank": "first"}}}, "rules.styles.new_customer.rank: "),
]


@pytest.mark.parametrize(("rules", "sentence"), WRONG_RULES, ids=str)
def test_an_invalid_rule_is_an_error_with_key_value_and_expectation(rules: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Config.model_validate({"rules": rules})

    assert sentence in describe_errors(raised.value)


def test_missing_fields_of_a_rule_have_their_defaults() -> None:
    rules = {
        "styles": {"new_customer": {"rank": 85}},
        "texts": {"best_day": "Che giorno!"},
        "emojis": {"Epifania": "🧹"},
    }
    settings = Config.model_validate({"rules": rules}).settings()

    assert settings.styles[EventType.NEW_CUSTOMER] == STYLES[EventType.NEW_CUSTOMER]._replace(rank=85)
    assert settings.styles[EventType.MAINTENANCE] == STYLES[EventType.MAINTENANCE]
    assert settings.texts == {**TEXTS, "best_day": "Che giorno!"}
    assert (settings.emojis["Epifania"], settings.emojis["Natale"]) == ("🧹", "🎄")


def _keys(values: dict[str, Any]) -> Iterator[str]:
    """Yield the names of all settings, without the keys of example tables (rates, renamed)."""
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in ("rates", "renamed"):
            yield from _keys(value)
        else:
            yield key


def test_the_goal_in_the_documentation_is_valid(tmp_path: Path) -> None:
    [example] = re.findall(
        r"```toml\n(\[\[rules\.goals\]\].*?)```", Path("docs/configuration.md").read_text(), re.DOTALL
    )
    file = tmp_path / "config.toml"
    file.write_text(example)

    assert load(file, {}).settings().goals == (Goal(GoalMetric.MRR, 3000, date(2027, 3, 31)),)


@pytest.mark.parametrize(
    ("goal", "problem"),
    [
        ('metric = "arr"\nvalue = 1\nby = 2027-01-01', r"rules\.goals\.0\.metric: .*mrr.*'arr'"),
        ('metric = "mrr"\nvalue = 0\nby = 2027-01-01', r"rules\.goals\.0.*value must be a number from 1"),
        ('metric = "mrr"\nvalue = 7.99\nby = 2027-01-01', r"rules\.goals\.0\.value: .*integer"),
        ('metric = "mrr"\nvalue = 1\nby = "soon"', r"rules\.goals\.0\.by: .*date"),
        ('metric = "mrr"\nvalue = 1\nby = 2027-01-01\nname = "x"', r"rules\.goals\.0\.name"),
        ('metric = "mrr"\nby = 2027-01-01', r"rules\.goals\.0\.value"),
        (
            'metric = "mrr"\nvalue = 1\nby = 2027-01-01\n[[rules.goals]]\nmetric = "mrr"\nvalue = 1\nby = 2027-02-02',
            r"rules\.goals: .*two goals",
        ),
    ],
)
def test_an_invalid_goal_is_an_error_with_its_key(tmp_path: Path, goal: str, problem: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[[rules.goals]]\n{goal}")
    with pytest.raises(ConfigurationError, match=problem):
        load(file, {})
