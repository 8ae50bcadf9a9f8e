"""The pages: sign-in, the staff's console and the firms' portal."""

from __future__ import annotations

from flask import Flask
from flask_babel import get_locale
from flask_bootstrap import Bootstrap5

from app.auth import current_principal
from app.permissions import Permission
from app.web import home, sign_in

BLUEPRINTS = (sign_in.blueprint, home.blueprint)


def init_app(app: Flask) -> None:
    Bootstrap5(app)
    app.jinja_env.globals.update(get_locale=get_locale, current_principal=current_principal, Permission=Permission)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
