"""Settings: one typed record, read from the environment once, with an error that names the variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from flask import current_app

from app.mail_server import MailServer, MailUrlError

PROJECT = Path(__file__).resolve().parent.parent
DEVELOPMENT_SECRET = "only-for-development-not-a-secret"  # noqa: S105 - production refuses it
SHORTEST_SECRET = 32
LANGUAGES = ("zh_Hans_CN", "en")
Environment = Literal["development", "test", "production"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class ConfigError(Exception):
    """A setting is missing or wrong; the message names the variable, what it holds and what was expected."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """All settings of one process.

    `database_url` None stands for the embedded server in `data`. `proxies` is the number of trusted reverse proxies in
    front. `hosts` are the names the site answers to; empty = any. `metrics_token` opens /metrics to other machines.
    `mail` None: e-mails are written and not sent. `site` is the site's address in them, without a slash at its end.
    `webhooks_to_loopback` lets webhooks go to this machine, for tests and the demo.
    `signing_roots` is a file of certificates (PEM) whose holders' signatures on contracts are trusted. `demo_signing`
    adds an authority of the demonstration's own, which makes keys for whoever asks.
    """

    environment: Environment = "development"
    secret_key: str = DEVELOPMENT_SECRET
    database_url: str | None = None
    data: Path = PROJECT / "var"
    proxies: int = 0
    hosts: tuple[str, ...] = ()
    metrics_token: str | None = None
    rate_limits: bool = False
    csrf: bool = True
    log_level: LogLevel = "INFO"
    mail: MailServer | None = None
    site: str | None = None
    webhooks_to_loopback: bool = False
    signing_roots: Path | None = None
    demo_signing: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Config:
        """Read the settings; `overrides` are fields of this class and win over the environment.

        :raises ConfigError: a variable cannot be read, or production lacks a secret of its own.
        """
        source = os.environ if environ is None else environ
        environment = _one_of(source, "CHANGDAN_ENV", get_args(Environment), "development")
        config = cls(
            environment=environment,
            secret_key=source.get("CHANGDAN_SECRET_KEY") or DEVELOPMENT_SECRET,
            database_url=_database_url(source.get("DATABASE_URL")),
            data=Path(source.get("CHANGDAN_DATA") or PROJECT / "var"),
            proxies=_count(source, "CHANGDAN_PROXIES", 0),
            hosts=tuple(source.get("CHANGDAN_HOSTS", "").split()),
            metrics_token=source.get("CHANGDAN_METRICS_TOKEN") or None,
            rate_limits=_switch(source, "CHANGDAN_RATE_LIMITS", default=environment == "production"),
            log_level=_one_of(source, "CHANGDAN_LOG_LEVEL", get_args(LogLevel), "INFO"),
            mail=_mail(source.get("MAIL_URL")),
            site=_site(source.get("CHANGDAN_SITE")),
            webhooks_to_loopback=_switch(source, "CHANGDAN_WEBHOOKS_TO_LOOPBACK", default=False),
            signing_roots=Path(roots) if (roots := source.get("CHANGDAN_SIGNING_ROOTS")) else None,
            demo_signing=_switch(source, "CHANGDAN_DEMO_SIGNING", default=False),
        )
        config = replace(config, **overrides)
        config.check()
        return config

    @property
    def production(self) -> bool:
        return self.environment == "production"

    def check(self) -> None:
        """Refuse what cannot work, and what would be unsafe in production.

        :raises ConfigError: production with the development secret or a short one, or with what only tests may do.
        """
        if self.signing_roots is not None and not self.signing_roots.is_file():
            raise ConfigError(
                f"CHANGDAN_SIGNING_ROOTS names no file: {self.signing_roots}; expected certificates (PEM)"
            )
        if not self.production:
            return
        if self.secret_key == DEVELOPMENT_SECRET:
            raise ConfigError("CHANGDAN_SECRET_KEY is not set; production expects a random secret of its own")
        if len(self.secret_key) < SHORTEST_SECRET:
            raise ConfigError(
                f"CHANGDAN_SECRET_KEY has {len(self.secret_key)} characters; expected at least {SHORTEST_SECRET}"
            )
        if not self.csrf:
            raise ConfigError("csrf is off; production expects it on")
        if self.webhooks_to_loopback:
            raise ConfigError("CHANGDAN_WEBHOOKS_TO_LOOPBACK is on; production expects it off")
        if self.demo_signing:
            raise ConfigError("CHANGDAN_DEMO_SIGNING is on; production expects it off")

    def flask_settings(self, database_url: str) -> dict[str, Any]:
        """The same in the names that Flask and its extensions read."""
        return {
            "CHANGDAN": self,
            "TESTING": self.environment == "test",
            "SECRET_KEY": self.secret_key,
            "SESSION_COOKIE_NAME": "__Host-changdan" if self.production else "changdan",
            "SESSION_COOKIE_SECURE": self.production,
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),
            "TRUSTED_HOSTS": list(self.hosts) or None,
            "MAX_CONTENT_LENGTH": 32 * 1024 * 1024,
            "SQLALCHEMY_DATABASE_URI": database_url,
            "SQLALCHEMY_ENGINE_OPTIONS": {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10},
            "WTF_CSRF_ENABLED": self.csrf,
            "WTF_CSRF_CHECK_DEFAULT": False,  # app.auth decides by how the request was authenticated
            "WTF_CSRF_TIME_LIMIT": None,  # as long as the session
            "BABEL_DEFAULT_LOCALE": LANGUAGES[0],
            "BABEL_DEFAULT_TIMEZONE": "Asia/Shanghai",
            "RATELIMIT_ENABLED": self.rate_limits,
            "RATELIMIT_HEADERS_ENABLED": True,
            "RATELIMIT_STORAGE_URI": database_url if self.rate_limits else "memory://",
            "API_TITLE": "Changdan",
            "API_VERSION": "1",
            "OPENAPI_VERSION": "3.1.0",
        }


def settings() -> Config:
    """The settings of the running application."""
    config: Config = current_app.config["CHANGDAN"]
    return config


def _database_url(given: str | None) -> str | None:
    """Put the driver's name into a URL as hosting providers write it."""
    if not given:
        return None
    scheme, separator, rest = given.partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise ConfigError("DATABASE_URL does not start with postgresql://; PostgreSQL is the one database supported")
    return f"postgresql+psycopg://{rest}"


def _mail(given: str | None) -> MailServer | None:
    try:
        return MailServer.parse(given) if given else None
    except MailUrlError as error:
        raise ConfigError(f"MAIL_URL {error}") from error  # without the URL, which may hold a password


def _site(given: str | None) -> str | None:
    if given and not given.startswith(("https://", "http://")):
        raise ConfigError(f"CHANGDAN_SITE is {given!r}; expected the site's address, as in https://market.example.org")
    return given.rstrip("/") if given else None


def _one_of(source: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> Any:
    value = source.get(name) or default
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}; expected one of {', '.join(choices)}")
    return value


def _count(source: Mapping[str, str], name: str, default: int) -> int:
    value = source.get(name) or str(default)
    if not value.isascii() or not value.isdigit():
        raise ConfigError(f"{name} is {value!r}; expected a whole number, 0 or more")
    return int(value)


def _switch(source: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = source.get(name, "").lower()
    if value not in {"", "0", "1", "false", "true", "no", "yes"}:
        raise ConfigError(f"{name} is {value!r}; expected 1 or 0")
    return value in {"1", "true", "yes"} if value else default
