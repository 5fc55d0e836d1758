"""Agents: who is there, how busy, and when they work; and the queue they share."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from dealwright.desk.keys import Caller
from dealwright.errors import InputError, NotFoundError
from dealwright.service.answers import Json, page_answer
from dealwright.service.endpoint import OwnAgent, TheDesk, Who, check_own, endpoint, name_of
from dealwright.service.problems import RefusedError
from dealwright.service.routes.leads import After, Limit
from dealwright.service.shapes import (
    AgentOut,
    AvailabilityIn,
    ChannelIn,
    ChannelsOut,
    NewLeadForIn,
    Page,
    PlacementOut,
    RateOut,
    WaitingOut,
    WhyOut,
)

router = APIRouter(tags=["agents"])


@endpoint(router, "GET", "/agents", scopes=("manager", "planner"), answer=Page[AgentOut])
def list_agents(desk: TheDesk, after: After = None, limit: Limit = 100) -> Json:
    """List the agents with their workload."""
    return page_answer(desk.book.agents(after=after, k=limit))


@endpoint(router, "GET", "/agents/me", scopes=("agent",), answer=AgentOut)
def get_own_agent(desk: TheDesk, who: Who) -> Json:
    """Return the agent whose key this is, with the workload."""
    return Json(desk.book.agent(_own_name(who)))


@endpoint(router, "GET", "/agents/me/rate", scopes=("agent",), answer=RateOut)
def get_own_rate(desk: TheDesk, who: Who) -> Json:
    """Return the share of won outcomes of the agent whose key this is, with its 90 % interval."""
    return Json(desk.own_rate(_own_name(who)))


@endpoint(router, "GET", "/agents/me/why", scopes=("agent",), answer=WhyOut)
def why_own(desk: TheDesk, who: Who, lead_id: Annotated[int, Query(ge=1, lt=2**63)]) -> Json:
    """Say why a lead came to the agent whose key this is, or did not; nothing of the others."""
    return Json(desk.why(lead_id, _own_name(who)))


@endpoint(router, "POST", "/agents/{agent_id}/leads", scopes=("manager",), answer=PlacementOut, status=201)
def send_lead_to(desk: TheDesk, who: Who, agent_id: str, named: NewLeadForIn) -> Json:
    """Record a lead and give it to the agent that is named, within the limits that hold for all."""
    placement = desk.assign(
        named.lead.model_dump(),
        named.policy,
        agent=agent_id,
        reason=named.reason,
        override=named.override,
        by=name_of(who),
    )
    return Json(placement.to_dict(), 201)


@endpoint(router, "GET", "/agents/{agent_id}", scopes=("agent", "manager", "planner"), answer=AgentOut)
def get_agent(desk: TheDesk, own: OwnAgent, agent_id: str) -> Json:
    """Return one agent with the workload; an agent's key sees its own."""
    if own is not None:
        check_own(own, desk.book.find_agent(agent_id), f"agent {agent_id}")
    return Json(desk.book.agent(agent_id))


@endpoint(router, "PATCH", "/agents/{agent_id}", scopes=("agent", "manager"), answer=AgentOut)
def change_agent(desk: TheDesk, own: OwnAgent, agent_id: str, change: AvailabilityIn) -> Json:
    """Say whether an agent gets leads, how many, and when; an agent's key changes its own `active`."""
    if own is not None:
        check_own(own, desk.book.find_agent(agent_id), f"agent {agent_id}")
        if (change.capacity, change.channels, change.shifts) != (None, None, None) or (
            change.always or change.hand_over
        ):
            raise RefusedError(403, "an agent's key may change active: capacity and shifts are a manager's")
    if change.hand_over and change.active is not False:
        raise InputError("hand_over goes with active = false: send both")
    shifts = None if change.shifts is None else [(shift.start, shift.until) for shift in change.shifts]
    changed = desk.book.change_agent(
        agent_id,
        active=change.active,
        hand_over=change.hand_over,
        capacity=change.capacity,
        shifts=shifts,
        always=change.always,
        channels=change.channels,
    )
    return Json(changed)


@endpoint(router, "GET", "/channels", scopes=("manager", "planner"), answer=ChannelsOut)
def list_channels(desk: TheDesk) -> Json:
    """List the channels with limits, and how many leads of each are open."""
    return Json({"channels": desk.book.channels()})


@endpoint(router, "PUT", "/channels/{channel}", scopes=("manager",), answer=ChannelsOut)
def set_channel(desk: TheDesk, channel: str, limits: ChannelIn) -> Json:
    """Say how many open leads of a channel each agent may have, and how many places one takes."""
    return Json(
        {
            "channels": desk.book.set_channel(
                channel, capacity=limits.capacity, places=limits.places, dimension=limits.dimension
            )
        }
    )


@endpoint(router, "DELETE", "/channels/{channel}", scopes=("manager",), answer=ChannelsOut)
def remove_channel(desk: TheDesk, channel: str) -> Json:
    """Take the limits of a channel away, also those of single agents."""
    return Json({"channels": desk.book.remove_channel(channel)})


@endpoint(router, "GET", "/queue", scopes=("manager", "planner"), answer=Page[WaitingOut])
def list_queue(desk: TheDesk, after: After = None, limit: Limit = 100) -> Json:
    """List the leads that wait, most urgent first."""
    return page_answer(desk.book.queue(after=after, k=limit))


def _own_name(who: Caller) -> int | str:
    if who.own_agent_id is None:
        raise NotFoundError("this key is no agent's: make one with the scope agent (`dealwright key create`)")
    return who.own_agent_id
