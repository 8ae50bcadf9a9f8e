"""Settings from the environment, and what production refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config import DEVELOPMENT_SECRET, PROJECT, Config, ConfigError

SECRET = "x" * 40


def test_an_empty_environment_is_development_on_the_embedded_database() -> None:
    config = Config.from_environment({})
    assert config.environment == "development"
    assert config.database_url is None
    assert config.data == PROJECT / "var"
    assert not config.rate_limits


def test_everything_is_read() -> None:
    config = Config.from_environment(
        {
            "CHANGDAN_ENV": "production",
            "CHANGDAN_SECRET_KEY": SECRET,
            "DATABASE_URL": "postgres://me@db/exchange",
            "CHANGDAN_DATA": "elsewhere",
            "CHANGDAN_PROXIES": "2",
            "CHANGDAN_HOSTS": "a.example b.example",
            "CHANGDAN_METRICS_TOKEN": "t",
            "CHANGDAN_LOG_LEVEL": "WARNING",
        }
    )
    assert config == Config(
        environment="production",
        secret_key=SECRET,
        database_url="postgresql+psycopg://me@db/exchange",
        data=Path("elsewhere"),
        proxies=2,
        hosts=("a.example", "b.example"),
        metrics_token="t",
        rate_limits=True,
        csrf=True,
        log_level="WARNING",
    )


@pytest.mark.parametrize("secret", [None, "", DEVELOPMENT_SECRET])
def test_production_refuses_to_start_without_a_secret_of_its_own(secret: str | None) -> None:
    environ = {"CHANGDAN_ENV": "production"} | ({} if secret is None else {"CHANGDAN_SECRET_KEY": secret})
    with pytest.raises(ConfigError, match="CHANGDAN_SECRET_KEY is not set"):
        Config.from_environment(environ)


def test_production_refuses_a_short_secret() -> None:
    with pytest.raises(ConfigError, match="has 5 characters; expected at least 32"):
        Config.from_environment({"CHANGDAN_ENV": "production", "CHANGDAN_SECRET_KEY": "short"})


def test_production_refuses_to_run_without_csrf_protection() -> None:
    with pytest.raises(ConfigError, match="csrf is off"):
        Config.from_environment({"CHANGDAN_ENV": "production", "CHANGDAN_SECRET_KEY": SECRET}, csrf=False)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("CHANGDAN_ENV", "prod", "CHANGDAN_ENV is 'prod'; expected one of development, test, production"),
        ("CHANGDAN_PROXIES", "-1", "CHANGDAN_PROXIES is '-1'; expected a whole number"),
        ("CHANGDAN_PROXIES", "²", "CHANGDAN_PROXIES is '²'; expected a whole number"),
        ("CHANGDAN_RATE_LIMITS", "maybe", "CHANGDAN_RATE_LIMITS is 'maybe'; expected 1 or 0"),
        ("CHANGDAN_LOG_LEVEL", "LOUD", "CHANGDAN_LOG_LEVEL is 'LOUD'; expected one of DEBUG"),
        ("DATABASE_URL", "mysql://db", "DATABASE_URL does not start with postgresql://"),
        ("DATABASE_URL", "db", "DATABASE_URL does not start with postgresql://"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(name: str, value: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Config.from_environment({name: value})


def test_the_cookie_is_safe_in_production() -> None:
    config = Config.from_environment({"CHANGDAN_ENV": "production", "CHANGDAN_SECRET_KEY": SECRET})
    flask = config.flask_settings("postgresql+psycopg://db")
    assert flask["SESSION_COOKIE_SECURE"] is True
    assert flask["SESSION_COOKIE_HTTPONLY"] is True
    assert flask["SESSION_COOKIE_SAMESITE"] == "Lax"
    assert flask["RATELIMIT_ENABLED"] is True
