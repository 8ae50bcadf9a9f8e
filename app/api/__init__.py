"""The HTTP API, version 1. Each subject is a module with a `blueprint`; this is the list of them."""

from __future__ import annotations

from flask import Flask

from app.api import (
    amendments,
    api_keys,
    audit,
    call_offs,
    changes,
    claims,
    contracts,
    docs,
    exports,
    firms,
    hub_prices,
    impediments,
    jobs,
    limits,
    negotiation,
    notifications,
    offer_imports,
    offers,
    proposals,
    reference,
    reference_changes,
    review,
    rounds,
    runs,
    saved_views,
    settlement,
    signing,
    users,
    versions,
    webhooks,
    what_if,
)
from app.api.conventions import make_api

BLUEPRINTS = (
    api_keys.blueprint,
    offers.blueprint,
    offers.sealed,
    offer_imports.blueprint,
    *rounds.BLUEPRINTS,
    *firms.BLUEPRINTS,
    users.blueprint,
    *reference.BLUEPRINTS,
    reference_changes.blueprint,
    runs.blueprint,
    limits.blueprint,
    hub_prices.blueprint,
    what_if.blueprint,
    review.blueprint,
    saved_views.blueprint,
    proposals.blueprint,
    negotiation.blueprint,
    negotiation.in_review,
    contracts.blueprint,
    contracts.states,
    signing.blueprint,
    signing.checks,
    amendments.blueprint,
    *call_offs.BLUEPRINTS,
    claims.blueprint,
    *impediments.BLUEPRINTS,
    *settlement.BLUEPRINTS,
    changes.blueprint,
    exports.blueprint,
    audit.blueprint,
    jobs.blueprint,
    *notifications.BLUEPRINTS,
    webhooks.blueprint,
)


def init_app(app: Flask) -> None:
    api = make_api(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.register_blueprint(docs.blueprint)
    app.after_request(versions.send_version)
