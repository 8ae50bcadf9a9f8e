"""Contracts that both sides give up before they take effect: cancelled with their bundle, their volume free at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.models import Contract, Event, Outbox, Reservation, Termination, TerminationGround, User
from app.operations import termination
from tests import factories as make

from .signed_market import NOON, contract_to_sign, sign_for, trader
from .web_market import at_noon

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]


def asked(session: Session, contract: Contract, ground: TerminationGround = TerminationGround.CONSENT) -> Termination:
    reason = "mutual_agreement" if ground is TerminationGround.CONSENT else "insolvency"
    return termination.give_notice(
        session,
        principal=trader(contract.seller),
        contract_id=contract.id,
        ground=ground,
        reason_code=reason,
        statement="The plant is not built",
        now=NOON,
    )


@pytest.mark.parametrize("signatures", [0, 1, 2])
def test_by_consent_of_both_before_effect(session: Session, signatures: int) -> None:
    contract = contract_to_sign()
    for side in ("seller", "buyer")[:signatures]:
        sign_for(contract, side)
    state = contract.state
    assert state == ("agreed", "signing", "signed")[signatures]
    other = make.ContractFactory(
        proposal=make.AgreedProposalFactory(run=contract.proposal.run, bundle=contract.proposal.bundle)
    )
    with pytest.raises(Conflict, match="consent of both only"):
        asked(session, contract, TerminationGround.CAUSE)
    wish = asked(session, contract)
    assert contract.state == state, "asking changes nothing"
    own: dict[str, Any] = {"termination_id": wish.id, "now": NOON}
    with pytest.raises(Conflict, match="both_parties_consent"):
        termination.terminate(session, principal=trader(contract.seller), **own)
    termination.terminate(session, principal=trader(contract.buyer), **own)
    session.flush()
    assert (contract.state, other.state) == ("cancelled", "cancelled")
    held = sa.select(Reservation.released_at).where(Reservation.proposal_id == contract.proposal_id)
    assert None not in session.scalars(held).all()
    steps = sa.select(Event.name, Event.acting_as).where(Event.subject_id == contract.id).order_by(Event.id.desc())
    assert [tuple(step) for step in session.execute(steps)][:2] == [
        ("contract.cancel", "buyer"),
        ("contract.give_notice", "seller"),
    ]
    topics = list(session.scalars(sa.select(Outbox.topic).order_by(Outbox.id)))
    assert topics[-3:] == ["contract.notice", "contract.cancelled", "contract.cancelled"]
    with pytest.raises(Conflict):
        termination.terminate(session, principal=trader(contract.buyer), **own)


def test_cancelling_on_the_pages(session: Session, client_as: As) -> None:
    contract = contract_to_sign()
    seller, buyer = (client_as(make.UserFactory(firm=firm)) for firm in (contract.seller, contract.buyer))
    page = f"/contracts/{contract.id}"
    assert "Ask to cancel the contract" in seller.get(page).text
    form = {"ground": "consent", "statement": "The plant is not built"}
    assert seller.post(f"{page}/terminate", data=form).status_code == 303
    (wish,) = session.scalars(sa.select(Termination)).all()
    assert "Agree and end the contract" not in seller.get(page).text
    assert "Agree and end the contract" in buyer.get(page).text
    assert buyer.post(f"{page}/terminations/{wish.id}/end").status_code == 303
    session.refresh(contract)
    assert contract.state == "cancelled"
    assert buyer.get(page).status_code == 200
