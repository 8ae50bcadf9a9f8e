"""A firm's own offers: the list, the form, the versions, and what the runs made of each."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import orm

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict, Refused
from app.models import Offer, OfferKind, OfferRevision, OfferState, Product, Round, RunResult, SubjectKind
from app.operations import fixings, offers, pages
from app.operations.forward_curve import forward_curves
from app.operations.offer_checks import admission, warnings
from app.operations.offer_preview import Preview, preview
from app.operations.offer_terms import terms_of
from app.operations.rounds import find_round, takes_offers
from app.permissions import Permission
from app.web.formats import currency_name, language, named, number
from app.web.offer_form import FIRM_ROWS, INPUT_ROWS, OfferForm
from app.web.paging import page_of
from app.web.texts import _
from contracts.wording import as_said

blueprint = Blueprint("offers", __name__)
FILTERS = {"state": OfferState, "kind": OfferKind}


@blueprint.get("/offers")
@requires(Permission.OFFER_READ)
def listing() -> ResponseReturnValue:
    """The firm's offers, newest first, each with what the latest run made of it."""
    select = offers.visible_offers(principal()).options(
        orm.joinedload(Offer.product), orm.joinedload(Offer.site), orm.selectinload(Offer.periods)
    )
    for name, values in FILTERS.items():
        if (wanted := request.args.get(name)) in set(values):
            select = select.where(getattr(Offer, name) == wanted)
    if product := request.args.get("product"):
        select = select.where(Offer.product_code == product)
    found = page_of(session(), select, order=(Offer.created_at, Offer.id))
    return render_template(
        "offers.html",
        page=found,
        results=pages.latest_results(session(), principal=principal(), offer_ids=[row.id for row in found.rows]),
        choices=pages.form_choices(session(), principal=principal(), now=clock()),
        takes_offers=pages.open_rounds(session(), principal=principal(), now=clock()),
    )


@blueprint.get("/offers/<uuid:offer_id>")
@requires(Permission.OFFER_READ)
def show(offer_id: uuid.UUID) -> ResponseReturnValue:
    """One offer: its terms, its results, its versions."""
    offer = offers.find_offer(session(), principal=principal(), offer_id=offer_id)
    results = session().scalars(
        offers.visible_results(principal(), offer_id).options(orm.joinedload(RunResult.run)).order_by(RunResult.run_id)
    )
    revisions = offers.visible_revisions(principal(), offer_id).order_by(OfferRevision.revision.desc())
    return render_template(
        "offer.html",
        offer=offer,
        terms=terms_of(session(), offer),
        products=pages.products_by_code(session()),
        results=sorted(results, key=lambda result: result.run.created_at, reverse=True),
        revisions=session().scalars(revisions).all(),
        events=_events(offer),
        warnings=[warning.message(language()) for warning in warnings(session(), offer=offer)],
        may_change=principal().may(Permission.OFFER_POST) and offer.state in offers.MOVES,
        is_open=takes_offers(offer.round, now=clock()),
    )


@blueprint.get("/offers/new")
@requires(Permission.OFFER_POST)
def new() -> ResponseReturnValue:
    """An empty form, for the round, kind and product of the address."""
    return _form(dict(request.args.items()))


@blueprint.get("/offers/new/product")
@requires(Permission.OFFER_POST)
def product_fields() -> ResponseReturnValue:
    """The part of the form that depends on round, kind and product, for a change of one of them."""
    return _form(dict(request.args.items()), template="_offer_fields.html")


@blueprint.post("/offers/check")
@requires(Permission.OFFER_POST)
def check() -> ResponseReturnValue:
    """What is wrong with the form as it is being typed, by field, and how the market would read it."""
    return _checked(None)


@blueprint.post("/offers/<uuid:offer_id>/check")
@requires(Permission.OFFER_POST)
def check_amendment(offer_id: uuid.UUID) -> ResponseReturnValue:
    """The same for an amendment."""
    return _checked(offers.find_offer(session(), principal=principal(), offer_id=offer_id))


@blueprint.post("/offers")
@requires(Permission.OFFER_POST)
def post() -> ResponseReturnValue:
    """Post the offer, keep it as a draft, or show how the market will read it."""
    action = request.form.get("action", "preview")
    filled, read = _filled(None)
    if filled is None or read is None or filled.errors or action == "preview":
        return _form(dict(request.form.items()), filled=filled, read=read), 422 if filled and filled.errors else 200
    try:
        offer = offers.post(
            session(),
            principal=principal(),
            round_id=uuid.UUID(filled.values["round_id"]),
            statement=filled.statement,
            draft=action == "draft",
            now=clock(),
        )
    except (Refused, Conflict) as refusal:
        return _refused(refusal, filled)
    flash(
        _("The draft is kept. It is not for sale yet.") if action == "draft" else _("The offer is posted."), "success"
    )
    return redirect(url_for("offers.show", offer_id=offer.id), 303)


@blueprint.get("/offers/<uuid:offer_id>/amend")
@requires(Permission.OFFER_POST)
def amendment(offer_id: uuid.UUID) -> ResponseReturnValue:
    """The form with the offer's present terms."""
    offer = offers.find_offer(session(), principal=principal(), offer_id=offer_id)
    admitted = admission(session(), firm_id=offer.firm_id, market_round=offer.round, now=clock())
    filled = OfferForm.of_terms(
        terms_of(session(), offer),
        horizon=offer.round.horizon,
        product=offer.product,
        numbers={firm: number for number, firm in admitted.firms.items()},
    )
    filled.values["version"] = str(offer.version)
    return _form(_fixed(offer), filled=filled, offer=offer)


@blueprint.post("/offers/<uuid:offer_id>/amend")
@requires(Permission.OFFER_POST)
def amend(offer_id: uuid.UUID) -> ResponseReturnValue:
    """Write the amendment, or show how the market will read it."""
    offer = offers.find_offer(session(), principal=principal(), offer_id=offer_id, lock=True)
    if request.form.get("version") != str(offer.version):
        told = _("Somebody changed this offer while you were writing. Open it again and amend it anew.")
        raise Conflict(as_said(told))
    filled, read = _filled(offer)
    if filled is None or read is None or filled.errors or request.form.get("action", "preview") == "preview":
        page = _form(_fixed(offer), filled=filled, read=read, offer=offer)
        return page, 422 if filled and filled.errors else 200
    try:
        offers.amend(session(), principal=principal(), offer_id=offer_id, statement=filled.statement, now=clock())
    except (Refused, Conflict) as refusal:
        return _refused(refusal, filled, offer)
    flash(_("The offer is amended."), "success")
    return redirect(url_for("offers.show", offer_id=offer_id), 303)


@blueprint.post("/offers/<uuid:offer_id>/open")
@requires(Permission.OFFER_POST)
def open_draft(offer_id: uuid.UUID) -> ResponseReturnValue:
    """Put a draft up for sale."""
    try:
        with session().begin_nested():
            offers.open_offer(session(), principal=principal(), offer_id=offer_id, now=clock())
    except Refused as refusal:
        flash(_("The draft cannot be posted as it stands: %(why)s", why=refusal.text.in_language(language())), "danger")
        return redirect(url_for("offers.amendment", offer_id=offer_id), 303)
    flash(_("The offer is posted."), "success")
    return redirect(url_for("offers.show", offer_id=offer_id), 303)


@blueprint.get("/offers/<uuid:offer_id>/withdraw")
@requires(Permission.OFFER_POST)
def withdrawal(offer_id: uuid.UUID) -> ResponseReturnValue:
    """Ask once more: what is withdrawn does not come back."""
    return render_template(
        "offer_withdraw.html", offer=offers.find_offer(session(), principal=principal(), offer_id=offer_id)
    )


@blueprint.post("/offers/<uuid:offer_id>/withdraw")
@requires(Permission.OFFER_POST)
def withdraw(offer_id: uuid.UUID) -> ResponseReturnValue:
    """Take the offer back."""
    offers.withdraw(session(), principal=principal(), offer_id=offer_id, now=clock())
    flash(_("The offer is withdrawn."), "success")
    return redirect(url_for("offers.show", offer_id=offer_id), 303)


def _fixed(offer: Offer) -> dict[str, str]:
    """What an amendment cannot change."""
    return {"round_id": str(offer.round_id), "kind": offer.kind.value, "product": offer.product_code}


def _filled(offer: Offer | None) -> tuple[OfferForm | None, Preview | None]:
    """The form that was sent, read and checked; nothing if it does not say for what."""
    asked = _fixed(offer) if offer else dict(request.form.items())
    market_round, kind, product = _subject(asked)
    if market_round is None or kind is None or product is None:
        return None, None
    filled = OfferForm.typed(request.form, horizon=market_round.horizon, product=product)
    filled.values |= asked if offer else {}
    firm_id = offers.own_firm(principal())
    admitted = admission(session(), firm_id=firm_id, market_round=market_round, now=clock())
    filled.read(kind=kind, firms=admitted.firms)
    if not filled.may_be_checked:
        return filled, None
    read = preview(
        session(),
        principal=principal(),
        round_id=market_round.id,
        statement=filled.statement,
        offer_id=offer.id if offer else None,
        now=clock(),
    )
    filled.tell(list(read.faults))
    return filled, read


def _checked(offer: Offer | None) -> ResponseReturnValue:
    filled, read = _filled(offer)
    if filled is None:
        return jsonify(errors={}, preview="")
    shown = ""
    if read is not None and not filled.errors:
        shown = render_template("_offer_preview.html", read=read, kind=filled.statement["kind"])
    return jsonify(errors=filled.errors, preview=shown)


def _subject(asked: dict[str, str]) -> tuple[Round | None, OfferKind | None, Product | None]:
    """Round, kind and product that a form is for, as far as they are known to the asker."""
    choices = pages.form_choices(session(), principal=principal(), now=clock())
    if asked.get("round_id"):
        market_round: Round | None = find_round(session(), principal=principal(), round_id=_uuid(asked["round_id"]))
    else:
        market_round = choices.rounds[0] if choices.rounds else None
    kind = OfferKind(asked["kind"]) if asked.get("kind") in set(OfferKind) else None
    return market_round, kind, next((row for row in choices.products if row.code == asked.get("product")), None)


def _form(
    asked: dict[str, str],
    *,
    filled: OfferForm | None = None,
    read: Preview | None = None,
    offer: Offer | None = None,
    template: str = "offer_form.html",
) -> str:
    market_round, kind, product = _subject(asked)
    if filled is None and market_round is not None:
        filled = OfferForm(asked, horizon=market_round.horizon, product=product)
        if kind is OfferKind.CONVERSION and product is not None:
            _suggest_inputs(filled, product)
    admits = read is not None and filled is not None and not filled.errors
    return render_template(
        template,
        choices=pages.form_choices(session(), principal=principal(), now=clock()),
        round=market_round,
        kind=kind,
        product=product,
        form=filled,
        curves=_curves(market_round),
        currencies=[("CNY", currency_name()), *((code, code) for code in sorted(market_round.currency_rates))]
        if market_round
        else [],
        errors=filled.errors if filled else {},
        read=read if admits else None,
        offer=offer,
        input_rows=INPUT_ROWS,
        firm_rows=FIRM_ROWS,
    )


def _curves(market_round: Round | None) -> list[tuple[str, str]]:
    """The indices that a formula may follow, with what each is taken to be at first."""
    if market_round is None:
        return []
    found = forward_curves(session(), market_round=market_round, now=clock())
    names = {one.code: named(one) for one in fixings.indices(session())}
    return [
        (code, f"{names[code]} ({code}) · {number(next(iter(curve.values())), 2)}") for code, curve in found.items()
    ]


def _suggest_inputs(filled: OfferForm, product: Product) -> None:
    for at, line in enumerate(pages.usual_inputs(session(), product_code=product.code)[:INPUT_ROWS]):
        filled.values.setdefault(f"inputs/{at}/product", line.input_product_code)
        filled.values.setdefault(f"inputs/{at}/grade", line.input_grade_code or "")
        filled.values.setdefault(f"inputs/{at}/quantity_per_output", f"{line.quantity_per_output.normalize():f}")


def _refused(refusal: Refused | Conflict, filled: OfferForm, offer: Offer | None = None) -> ResponseReturnValue:
    """The form again, with what the operation has found beside its field."""
    if isinstance(refusal, Conflict):
        flash(_("This is not possible now: %(why)s", why=refusal.text.in_language(language())), "danger")
        return _form(filled.values, filled=filled, offer=offer), 409
    for one in (refusal, *refusal.further):
        filled.errors.setdefault(one.field or "quantity", one.text.in_language(language()))
    return _form(filled.values, filled=filled, offer=offer), 422


def _events(offer: Offer) -> list[dict[str, object]]:
    rows = pages.events_of(session(), subject=(SubjectKind.OFFER, offer.id))
    names = pages.names_of_people(session(), (row.user_id for row in rows))
    return [
        {"name": row.name, "at": row.at, "who": names.get(row.user_id) if row.user_id else None, "note": row.note}
        for row in rows
    ]


def _uuid(given: str) -> uuid.UUID:
    try:
        return uuid.UUID(given)
    except ValueError:
        return uuid.UUID(int=0)  # nobody's: leads to "no such record"
