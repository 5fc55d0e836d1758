"""Leads: sent one by one or in batches, looked up, ranked; and the bookings that come of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool

from dealwright.errors import InputError, NotFoundError
from dealwright.service.answers import Json, page_answer
from dealwright.service.endpoint import OwnAgent, TheDesk, Who, check_own, endpoint, name_of, service_of
from dealwright.service.shapes import (
    BatchIn,
    LeadIn,
    LeadOut,
    NamingIn,
    Page,
    PlacementOut,
    PlacementsOut,
    Policy,
    RankingIn,
    RankingOut,
    SettleIn,
    SettlementOut,
)

router = APIRouter(tags=["leads"])
After = Annotated[int | None, Query(ge=0, lt=2**63, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Rows of a page.")]
LeadId = int
_SENDERS = ("ingest", "manager")


@endpoint(router, "POST", "/leads", scopes=_SENDERS, answer=PlacementOut, status=201, often=LeadIn)
async def send_lead(
    request: Request,
    lead: LeadIn,
    policy: Policy | None = None,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=500)] = None,
) -> Json:
    """Place a lead: with the best eligible agent who has room, or in the queue."""
    document = lead.model_dump()
    if idempotency_key is not None:
        if document["idempotency_key"] not in (None, idempotency_key):
            raise InputError(
                "the header Idempotency-Key and idempotency_key of the lead differ: send one of them"
            )
        document["idempotency_key"] = idempotency_key
    placement = await service_of(request).intake.place(document, policy)
    return Json(placement.to_dict(), 201)


@endpoint(router, "POST", "/leads/batch", scopes=_SENDERS, answer=PlacementsOut, status=201, often=BatchIn)
async def send_leads(request: Request, batch: BatchIn) -> Json:
    """Place leads in one transaction, all or none, as if they came one after the other."""
    service = service_of(request)
    most = service.params.most_leads
    if len(batch.leads) > most:
        raise InputError(f"a batch may have {most:,} leads, not {len(batch.leads):,}: send it in parts")
    documents = [lead.model_dump() for lead in batch.leads]
    placements = await run_in_threadpool(
        service.desks.for_scope("ingest").assign_many, documents, batch.policy
    )
    service.metrics.observe_batch(list(placements))
    return Json({"placements": [placement.row for placement in placements]}, 201)


@endpoint(router, "GET", "/leads", scopes=("manager", "planner"), answer=Page[LeadOut])
def list_leads(
    desk: TheDesk,
    status: str | None = None,
    after: After = None,
    limit: Limit = 100,
) -> Json:
    """List leads, newest first."""
    return page_answer(desk.book.leads(status=status, after=after, k=limit))


@endpoint(router, "GET", "/leads/by-key", scopes=(*_SENDERS, "planner"), answer=LeadOut)
def find_lead(desk: TheDesk, idempotency_key: Annotated[str, Query(min_length=1, max_length=500)]) -> Json:
    """Find the lead that came with an idempotency key."""
    return Json(desk.book.lead_by_key(idempotency_key))


@endpoint(router, "GET", "/leads/{lead_id}", scopes=(*_SENDERS, "planner"), answer=LeadOut)
def get_lead(desk: TheDesk, lead_id: LeadId) -> Json:
    """Say where a lead is."""
    return Json(desk.book.lead(lead_id))


@endpoint(router, "POST", "/leads/{lead_id}/assign", scopes=("manager",), answer=PlacementOut)
def assign_lead_to(desk: TheDesk, who: Who, lead_id: LeadId, named: NamingIn) -> Json:
    """Give a lead, waiting or with somebody else, to the agent that is named."""
    lead = desk.book.lead(lead_id)["lead_id"]
    placement = desk.assign_to(lead, named.agent_id, named.reason, override=named.override, by=name_of(who))
    return Json(placement.to_dict())


@endpoint(router, "GET", "/leads/{lead_id}/ranking", scopes=("manager", "planner"), answer=RankingOut)
def rank_for_lead(
    desk: TheDesk,
    lead_id: LeadId,
    policy: Policy | None = None,
    k: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> Json:
    """Rank the agents for a recorded lead as it would be now, under any policy."""
    lead = desk.book.lead(lead_id)
    names = ("customer_name", "attributes", "requirements", "customer_id")
    return Json(desk.rank({name: lead[name] for name in names}, policy, k).to_dict())


@endpoint(router, "POST", "/rankings", scopes=(*_SENDERS, "planner"), answer=RankingOut)
def rank_lead(desk: TheDesk, asked: RankingIn) -> Json:
    """Rank the agents for a lead, with reasons; nothing is recorded."""
    lead: dict[str, Any] = {"customer_name": "anybody", **asked.lead}
    return Json(desk.rank(lead, asked.policy, asked.k).to_dict())


@endpoint(router, "PUT", "/bookings/{booking_id}", scopes=("agent", *_SENDERS), answer=SettlementOut)
def settle_booking(desk: TheDesk, own: OwnAgent, booking_id: str, outcome: SettleIn) -> Json:
    """Settle a booking, or reopen it; workloads and rankings follow at once."""
    if own is not None:
        try:
            of_agent = desk.book.agent_of_booking(booking_id)
        except NotFoundError:
            of_agent = None
        check_own(own, of_agent, f"booking {booking_id}")
    return Json(desk.settle(booking_id, **outcome.model_dump()).to_dict())
