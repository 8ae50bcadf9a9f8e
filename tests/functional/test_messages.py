"""The thread of a proposal: who writes, who reads, what is told of the writer, and how far each side has read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.models import AccessLog, Outbox, Proposal, ReviewAction, User, UserRole
from app.models.negotiation import LONGEST_MESSAGE
from app.operations import review
from app.permissions import Permission
from tests import factories as make

from .night_market import body
from .refusals import violates
from .web_market import at_noon, proposal_for_review

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]


@pytest.fixture
def proposal(session: Session) -> Proposal:
    """A released one."""
    waiting = proposal_for_review()
    review.decide(
        session,
        principal=of_user(make.StaffFactory()),
        proposal_id=waiting.id,
        action=ReviewAction.RELEASE,
        reason_code="sound",
        now=make.NOON,
    )
    return waiting


def address(proposal: Proposal, more: str = "") -> str:
    return f"/api/v1/proposals/{proposal.id}/messages{more}"


def thread(client: FlaskClient, proposal: Proposal) -> dict[str, Any]:
    answer = client.get(address(proposal))
    assert answer.json is not None
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def write(client: FlaskClient, proposal: Proposal, text: str) -> Any:
    return client.post(address(proposal), json={"body": text})


def test_parties_write_to_each_other_and_see_what_was_read(client_as: As, proposal: Proposal) -> None:
    trader = make.UserFactory(firm=proposal.seller)
    seller, buyer = client_as(trader), client_as(make.UserFactory(firm=proposal.buyer))
    first = write(seller, proposal, "Can you take delivery in February?")
    assert first.status_code == 201
    assert (first.json["number"], first.json["side"], first.json["ours"], first.json["read"]) == (
        1,
        "seller",
        True,
        False,
    )
    assert first.json["by_user_id"] == str(trader.id)
    write(seller, proposal, "第二条")
    seen = thread(buyer, proposal)
    assert [one["body"] for one in seen["messages"]] == ["Can you take delivery in February?", "第二条"]
    assert [one["by_user_id"] for one in seen["messages"]] == [None, None], "whose hand it was is the firm's business"
    assert (seen["unread"], seen["may_write"]) == (2, True)
    marked = buyer.post(address(proposal, "/read"), json={"until": 1})
    assert (marked.status_code, body(marked)["unread"]) == (200, 1)
    assert [one["read"] for one in thread(seller, proposal)["messages"]] == [True, False]
    buyer.post(address(proposal, "/read"), json={"until": 2})
    buyer.post(address(proposal, "/read"), json={"until": 1})
    assert thread(buyer, proposal)["unread"] == 0, "what was read stays read"
    assert buyer.post(address(proposal, "/read"), json={"until": 3}).status_code == 404


def test_an_answer_says_that_the_question_was_read(client_as: As, proposal: Proposal) -> None:
    seller, buyer = (client_as(make.UserFactory(firm=firm)) for firm in (proposal.seller, proposal.buyer))
    write(seller, proposal, "February?")
    write(buyer, proposal, "March.")
    assert [one["read"] for one in thread(seller, proposal)["messages"]] == [True, False]
    assert thread(buyer, proposal)["unread"] == 0


@pytest.mark.parametrize("text", ["", "   ", "x" * (LONGEST_MESSAGE + 1), "bell \x07"])
def test_what_is_no_message_is_refused_with_its_place(client_as: As, proposal: Proposal, text: str) -> None:
    answer = write(client_as(make.UserFactory(firm=proposal.seller)), proposal, text)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "#/body"


def test_the_longest_message_is_kept_whole(client_as: As, proposal: Proposal) -> None:
    answer = write(client_as(make.UserFactory(firm=proposal.seller)), proposal, "字" * LONGEST_MESSAGE)
    assert (answer.status_code, len(answer.json["body"])) == (201, LONGEST_MESSAGE)


def test_a_stranger_reads_and_writes_nothing(client_as: As, proposal: Proposal) -> None:
    write(client_as(make.UserFactory(firm=proposal.seller)), proposal, "between us")
    stranger = client_as(make.UserFactory())
    assert stranger.get(address(proposal)).status_code == 404
    assert write(stranger, proposal, "hello").status_code == 404
    assert stranger.post(address(proposal, "/read"), json={"until": 1}).status_code == 404


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (UserRole.PLATFORM_STAFF, 200),
        (UserRole.SENIOR_STAFF, 200),
        (UserRole.REGULATOR, 403),
        (UserRole.PLATFORM_ADMIN, 403),
    ],
)
def test_staff_in_review_read_and_are_logged_and_never_write(
    session: Session, client_as: As, proposal: Proposal, role: UserRole, status: int
) -> None:
    writer = make.UserFactory(firm=proposal.seller)
    write(client_as(writer), proposal, "between us")
    reader = make.StaffFactory(role=role)
    browser = client_as(reader)
    answer = browser.get(f"/api/v1/review/proposals/{proposal.id}/messages")
    assert answer.status_code == status
    looks = session.scalars(sa.select(AccessLog.firm_id).where(AccessLog.user_id == reader.id)).all()
    if status == 200:
        assert answer.json is not None
        (message,) = answer.json["messages"]
        assert (message["body"], message["by_user_id"], message["read"]) == ("between us", str(writer.id), False)
        assert not answer.json["may_write"]
        assert set(looks) == {proposal.seller_firm_id, proposal.buyer_firm_id}
    else:
        assert looks == []
    assert write(browser, proposal, "from the platform").status_code == 403


def test_a_system_of_the_firm_writes_with_its_key(
    client: FlaskClient, key_headers: Callable[..., dict[str, str]], proposal: Proposal
) -> None:
    admin = make.UserFactory(firm=proposal.buyer, role=UserRole.FIRM_ADMIN)
    headers = key_headers(admin)
    answer = client.post(address(proposal), json={"body": "from the ERP"}, headers=headers)
    assert (answer.status_code, answer.json and answer.json["side"]) == (201, "buyer")
    reading = key_headers(admin, Permission.PROPOSAL_READ)
    assert client.get(address(proposal), headers=reading).status_code == 200
    assert client.post(address(proposal), json={"body": "no"}, headers=reading).status_code == 403


def test_after_the_end_nothing_is_written_any_more(client_as: As, proposal: Proposal) -> None:
    seller = client_as(make.UserFactory(firm=proposal.seller))
    write(seller, proposal, "last word")
    seller.post(f"/api/v1/proposals/{proposal.id}/decline", json={"reason_code": "price"})
    assert write(seller, proposal, "one more").status_code == 409
    kept = thread(seller, proposal)
    assert ([one["body"] for one in kept["messages"]], kept["may_write"]) == (["last word"], False)


def test_the_other_side_is_told_that_there_is_a_message_not_what_it_says(
    session: Session, client_as: As, proposal: Proposal
) -> None:
    write(client_as(make.UserFactory(firm=proposal.seller)), proposal, "a secret of ours")
    told = session.scalars(sa.select(Outbox).where(Outbox.topic == "message.posted")).one()
    assert told.firm_ids == [proposal.buyer_firm_id]
    assert "secret" not in str(told.payload)


def test_a_message_is_kept_as_it_was_written(session: Session, client_as: As, proposal: Proposal) -> None:
    write(client_as(make.UserFactory(firm=proposal.seller)), proposal, "as it was")
    for statement in ("UPDATE proposal_message SET body = 'else'", "DELETE FROM proposal_message"):
        with violates("proposal_message_append_only"), session.begin_nested():
            session.execute(sa.text(statement))
