"""Changdan's web application: `create_app()` puts the parts together."""

from __future__ import annotations

from typing import Any

from flask_migrate import Migrate
from werkzeug.middleware.proxy_fix import ProxyFix

from app import api, auth, cli, headers, languages, logs, probes, problems, rate_limits, web
from app.clock import utc_now
from app.config import PROJECT, Config
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.transaction import Application


def create_app(**overrides: Any) -> Application:
    """Build the application; `overrides` are fields of `Config`.

    Without a DATABASE_URL the embedded server is started here.

    :raises ConfigError: a setting is missing or wrong.
    :raises EmbeddedPostgresError: the embedded server cannot be started.
    """
    config = Config.from_environment(**overrides)
    logs.configure(config.log_level)
    database_url = config.database_url or EmbeddedPostgres(config.data / "postgres").start().url()
    app = Application(__name__, template_folder="web/templates", static_folder="web/static")
    app.config.update(config.flask_settings(database_url))
    app.extensions["clock"] = utc_now
    if config.proxies:
        hops = config.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    db.init_app(app)
    Migrate(app, db, directory=str(PROJECT / "migrations"))
    # The order of the hooks: an id for the request first, then who asks, then how often.
    for part in (logs, probes, headers, languages, auth, problems, api, web, rate_limits, cli):
        part.init_app(app)
    return app
