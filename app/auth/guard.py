"""The door: who asks, whether the request is genuine, and whether the view may be entered."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, TypeVar, cast

from flask import Flask, current_app, g, request
from flask import session as cookie
from flask_wtf.csrf import CSRFProtect
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from app.auth import api_keys, sign_in
from app.auth.principal import Principal, current_principal, of_api_key, of_user
from app.clock import clock
from app.db import session
from app.permissions import Permission

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
PUBLIC: Literal["public"] = "public"
Access = Permission | Literal["public"]
View = TypeVar("View", bound=Callable[..., Any])

csrf = CSRFProtect()


def requires(permission: Permission) -> Callable[[View], View]:
    """Let only those with `permission` enter the view; put it outermost, so that nothing is read before."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            who = current_principal()
            if who is None:
                raise not_signed_in()
            if not who.may(permission):
                raise Forbidden(f"This needs the permission {permission}.")
            return view(*args, **kwargs)

        return _mark(cast("View", guarded), permission)

    return decorate


def public(view: View) -> View:
    """Let everybody enter the view."""
    return _mark(view, PUBLIC)


def access_of(app: Flask, endpoint: str, method: str) -> Access | None:
    """What a view asks of its callers; None when it says nothing, which closes it."""
    view: Any = app.view_functions[endpoint]
    if endpoint == "static" or endpoint.endswith(".static"):
        return PUBLIC
    if view_class := getattr(view, "view_class", None):
        view = getattr(view_class, method.lower(), None) or getattr(view_class, "get", None)
    access: Access | None = getattr(view, "access", None)
    return access


def not_signed_in(reason: str = "Sign in, or send an API key.") -> Unauthorized:
    return Unauthorized(reason, www_authenticate=WWWAuthenticate("bearer", {"realm": "changdan"}))


def init_app(app: Flask) -> None:
    csrf.init_app(app)
    app.before_request(_enter)


def _enter() -> None:
    """Before any view: close undeclared ones, find out who asks, and check that a browser meant it."""
    g.identify = _identify
    if request.endpoint is None or request.routing_exception is not None:
        return
    if request.method == "OPTIONS" and getattr(request.url_rule, "provide_automatic_options", False):
        return
    if access_of(current_app, request.endpoint, request.method) is None:
        raise Forbidden("This view is closed: it declares no permission.")
    if request.method in SAFE_METHODS or not current_app.config["WTF_CSRF_ENABLED"]:
        return
    # A key is not sent by a browser on its own, and an API call without a session has nothing to forge.
    by_browser = "Authorization" not in request.headers and ("user" in cookie or not is_api())
    if by_browser:
        csrf.protect()


def is_api() -> bool:
    """Whether the request is for the API: it then gets problem documents, never pages."""
    return request.path.startswith("/api/")


def _identify() -> Principal | None:
    """:raises Unauthorized: an Authorization header that is not a good key."""
    if authorization := request.headers.get("Authorization"):
        scheme, _, token = authorization.partition(" ")
        key = api_keys.key_of_token(session(), token.strip(), now=clock()) if scheme.lower() == "bearer" else None
        if key is None:
            raise not_signed_in("The API key is unknown, expired or revoked.")
        return of_api_key(key)
    user = sign_in.user_of_session(session(), cookie, now=clock(), user_agent=request.user_agent.string)
    return of_user(user) if user else None


def _mark(view: View, access: Access) -> View:
    vars(view)["access"] = access
    # The API's documentation names the permission, too.
    vars(view)["_apidoc"] = {**vars(view).get("_apidoc", {}), "access": access}
    return view
