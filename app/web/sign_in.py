"""Pages to sign in and out, and the switch between the two languages."""

from __future__ import annotations

from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField
from wtforms.validators import DataRequired, Length

from app.auth import current_principal, public, sign_in
from app.auth.passwords import LONGEST
from app.clock import clock
from app.config import settings
from app.db import session
from app.models import Language, SignInOutcome, User
from app.transaction import keep_on_refusal
from app.web.navigation import THEMES
from app.web.texts import _

blueprint = Blueprint("sign_in", __name__)


class SignInForm(FlaskForm):
    email = EmailField(lazy_gettext("E-mail"), validators=[DataRequired(), Length(max=sign_in.LONGEST_EMAIL)])
    password = PasswordField(lazy_gettext("Password"), validators=[DataRequired(), Length(max=LONGEST)])
    next = HiddenField()


@blueprint.get("/sign-in")
@public
def form() -> ResponseReturnValue:
    """The form; who is signed in already goes on."""
    if current_principal() is not None:
        return redirect(_own_page(request.args.get("next")))
    return render_template("sign_in.html", form=SignInForm(request.args))


@blueprint.post("/sign-in")
@public
def submit() -> ResponseReturnValue:
    """Try the password. Every kind of failure gets the same answer; the trace of it stays."""
    filled = SignInForm()
    keep_on_refusal()
    user = None
    if filled.validate():
        user = sign_in.attempt(
            session(),
            email=filled.email.data,
            password=filled.password.data,
            now=clock(),
            address=request.remote_addr,
            user_agent=request.user_agent.string,
        )
    if user is None:
        flash(_("E-mail or password is wrong, or the account is locked for now."), "danger")
        return render_template("sign_in.html", form=filled), 401
    sign_in.open_session(cookie, user, now=clock(), user_agent=request.user_agent.string)
    cookie.permanent = True
    return redirect(_own_page(filled.next.data), 303)


@blueprint.post("/sign-out")
@public
def leave() -> ResponseReturnValue:
    """End this session; with `everywhere`, all sessions of the person."""
    user = _signed_in_user()
    if user is not None:
        sign_in.record(
            session(),
            SignInOutcome.SIGNED_OUT,
            user=user,
            email=user.email,
            now=clock(),
            address=request.remote_addr,
            user_agent=request.user_agent.string,
        )
        if request.form.get("everywhere"):
            sign_in.sign_out_everywhere(user)
    sign_in.close_session(cookie)
    return redirect(url_for("sign_in.form"), 303)


@blueprint.post("/language")
@public
def language() -> ResponseReturnValue:
    """Switch the language of the pages, and remember it for who is signed in."""
    wanted = request.form.get("language", "")
    if wanted in set(Language):
        cookie["language"] = wanted
        if user := _signed_in_user():
            user.language = Language(wanted)
    return redirect(_own_page(request.form.get("next")), 303)


@blueprint.post("/theme")
@public
def switch_theme() -> ResponseReturnValue:
    """Light or dark, kept in a cookie of this browser."""
    response = redirect(_own_page(request.form.get("next")))
    wanted = request.form.get("theme", "")
    if wanted in THEMES:
        response.set_cookie(
            "theme", wanted, max_age=365 * 86400, httponly=True, samesite="Lax", secure=settings().production
        )
    return response


def _signed_in_user() -> User | None:
    who = current_principal()
    if who is None or who.user_id is None:
        return None
    return session().scalar(sa.select(User).where(User.id == who.user_id))


def _own_page(target: str | None) -> str:
    """A path of this site, or the first page: never another site that somebody put into a link."""
    parts = urlsplit(target or "")
    if not target or not target.startswith("/") or target.startswith("//") or parts.scheme or parts.netloc:
        return url_for("home.show")
    if "\\" in target or any(ord(character) < 32 for character in target):
        return url_for("home.show")
    return target
