"""The pages: the public ones, the staff's console and the firms' portal."""

from __future__ import annotations

from flask import Flask
from flask_babel import get_locale

from app import translations
from app.auth import current_principal
from app.permissions import Permission
from app.web import (
    alerts,
    amendments,
    audit,
    bundle_graph,
    call_offs,
    charts,
    claims,
    contracts,
    curves,
    explanations,
    exports,
    firms,
    fixings,
    force_majeure,
    formats,
    home,
    hub_prices,
    impediments,
    jobs,
    keys,
    labels,
    lane_map,
    limits,
    navigation,
    negotiation,
    notes,
    notifications,
    offer_imports,
    offers,
    paging,
    proposals,
    public_pages,
    reference,
    review,
    review_words,
    rounds,
    rounds_admin,
    runs,
    saved_views,
    settlement,
    sign_in,
    signing,
    states,
    supply_graph,
    team,
    terms_words,
    verify,
    webhooks,
    what_if,
)

BLUEPRINTS = (
    sign_in.blueprint,
    home.blueprint,
    public_pages.blueprint,
    rounds.blueprint,
    rounds_admin.blueprint,
    runs.blueprint,
    limits.blueprint,
    hub_prices.blueprint,
    curves.blueprint,
    lane_map.blueprint,
    supply_graph.blueprint,
    alerts.blueprint,
    what_if.blueprint,
    review.blueprint,
    saved_views.blueprint,
    offers.blueprint,
    offer_imports.blueprint,
    proposals.blueprint,
    negotiation.blueprint,
    contracts.blueprint,
    states.blueprint,
    exports.blueprint,
    settlement.blueprint,
    fixings.blueprint,
    reference.blueprint,
    firms.blueprint,
    call_offs.blueprint,
    claims.blueprint,
    force_majeure.blueprint,
    impediments.blueprint,
    signing.blueprint,
    amendments.blueprint,
    verify.blueprint,
    keys.blueprint,
    team.blueprint,
    notifications.blueprint,
    webhooks.blueprint,
    audit.blueprint,
    jobs.blueprint,
    charts.blueprint,
)


def init_app(app: Flask) -> None:
    translations.init_app(app)
    app.jinja_env.globals.update(get_locale=get_locale, current_principal=current_principal, Permission=Permission)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    for part in (
        formats,
        labels,
        explanations,
        review_words,
        limits,
        terms_words,
        what_if,
        paging,
        navigation,
        notes,
        notifications,
        alerts,
        bundle_graph,
        curves,
    ):
        part.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
