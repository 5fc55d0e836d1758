"""What requests and answers look like, for whoever reads the OpenAPI document, and for checking requests."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

T = TypeVar("T")
Text = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
LongText = Annotated[str, StringConstraints(max_length=100_000, pattern=r"^[^\x00]*$")]
# strict: true is nobody's number
Id = Annotated[int, Field(strict=True)] | Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
Policy = Literal["value", "classic", "workload", "fair"]
Capacity = Annotated[int, Field(ge=0, lt=2**31)]
Amount = Annotated[float, Field(ge=0, lt=1e12, allow_inf_nan=False)]
Scope = Literal["ingest", "agent", "planner", "manager", "admin"]

_MARS: JsonDict = {
    "customer_name": "Kate Nguyen",
    "attributes": {
        "communication_method": "Text",
        "lead_source": "Organic",
        "destination": "Mars",
        "launch_location": "Dallas-Fort Worth Launch Complex",
    },
    "requirements": "A window seat, and somebody who speaks Catalan",
    "idempotency_key": "web-form-2026-0001",
}


class Request(BaseModel):
    """A body whose names are all known: a misspelt one is an error."""

    model_config = ConfigDict(extra="forbid")


class LeadIn(Request):
    """One enquiry of one prospect."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_MARS]})

    customer_name: Text
    attributes: Annotated[dict[str, str | float | bool | None], Field(max_length=200)] = Field(
        default_factory=dict, description="What is known of the declared dimensions."
    )
    requirements: LongText | None = Field(None, description="What the customer wants, in words.")
    priority: int = Field(0, ge=-(2**31), lt=2**31, description="Higher comes first in the queue.")
    idempotency_key: Text | None = Field(
        None, description="The same key sent twice gives the same assignment; also as header Idempotency-Key."
    )
    received_at: datetime | None = Field(None, description="When the enquiry came in; default now.")
    customer_id: Text | None = Field(None, description="Who comes back goes to the former agent.")


class BatchIn(Request):
    """Leads that are placed in one transaction: all of them or none."""

    leads: Annotated[list[LeadIn], Field(min_length=1)]
    policy: Policy | None = None


class RankingIn(Request):
    """A lead to rank the agents for; of its attributes any may be missing."""

    lead: dict[str, Any] = Field(examples=[{"attributes": {"destination": "Mars"}}])
    policy: Policy | None = None
    k: int | None = Field(None, ge=1, lt=2**31, description="Only the first k agents.")


class ReasonIn(Request):
    """Why, for the record."""

    reason: Text = Field(examples=["on holiday from tomorrow"])


class NamingIn(Request):
    """Whom to give a lead to, and why."""

    agent_id: Id = Field(examples=["A2"])
    reason: Text = Field(examples=["the customer asked for her"])
    override: bool = Field(
        False,
        description="Capacity, shift, skills, department and what the agent declined do not hold; the "
        "decision and its event record which were in the way.",
    )


class ReassignIn(Request):
    """Why, for the record, and to whom: without an agent, to the best one."""

    reason: Text = Field(examples=["on holiday from tomorrow"])
    agent_id: Id | None = None
    override: bool = Field(False, description="With agent_id: the limits do not hold; it is recorded.")


class NewLeadForIn(Request):
    """A lead for one agent, and why."""

    lead: LeadIn
    reason: Text = Field(examples=["the customer asked for her"])
    override: bool = Field(False, description="The limits do not hold; it is recorded.")
    policy: Policy | None = None


class ContactIn(Request):
    """When the customer was reached."""

    at: datetime | None = Field(None, description="Default: now.")


class SettleIn(Request):
    """What became of a booking."""

    status: Literal["pending", "confirmed", "cancelled"] = Field(examples=["confirmed"])
    base_revenue: Amount | None = None
    package_revenue: Amount | None = None
    total_revenue: Amount | None = Field(None, examples=[2400])


class ShiftIn(Request):
    """From when until when an agent works."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    start: datetime = Field(alias="from")
    until: datetime


class AvailabilityIn(Request):
    """What to change about an agent; what is left out stays."""

    active: bool | None = Field(None, description="Whether the agent gets leads.")
    hand_over: bool = Field(
        False, description="With active = false: give the open leads to others, or back to the queue."
    )
    capacity: int | None = Field(None, ge=0, lt=2**31, examples=[12])
    channels: Annotated[dict[Text, Capacity | None], Field(max_length=250)] | None = Field(
        None,
        description="How many open leads of a channel; null: as many as the channel says.",
        examples=[{"Phone": 3}],
    )
    shifts: Annotated[list[ShiftIn], Field(max_length=1000)] | None = Field(
        None, description="All of them: they take the place of those that were there."
    )
    always: bool = Field(False, description="No shifts: the agent is always there.")


class ChannelIn(Request):
    """The limits of a channel."""

    capacity: Capacity | None = Field(
        None, description="How many open leads of it each agent may have; null: no limit.", examples=[3]
    )
    places: int = Field(
        1, ge=1, le=1000, description="How many places of an agent's capacity one lead of it takes."
    )
    dimension: Text | None = Field(
        None, description="The dimension of a lead that is the channel; default communication_method."
    )


class TaskDoneIn(Request):
    """How a task ended."""

    outcome: Literal["responded", "no_response", "rejected", "not_reached"]
    done_at: datetime | None = None
    note: LongText | None = None


class NoteIn(Request):
    """A remark for the record."""

    note: LongText | None = None


class KeyIn(Request):
    """A key to make."""

    name: Text = Field(examples=["web form"])
    scopes: Annotated[list[Scope], Field(min_length=1)] = Field(examples=[["ingest"]])
    agent_id: Id | None = Field(None, description="With the scope agent: whose work it is about.")
    expires_at: datetime | None = None


class ReplaceKeyIn(Request):
    """How a key is replaced."""

    keep_hours: float = Field(24, ge=0, le=720, description="For so long the old one stays valid.")


class Problem(BaseModel):
    """What went wrong, as of RFC 9457; `detail` names the fix."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, Any]] | None = None


class Page(BaseModel, Generic[T]):
    """Some rows; `next` is what to send as `after` for those that follow, null at the end."""

    items: list[T]
    next: int | None


class TextPage(BaseModel, Generic[T]):
    """Some rows; `next` is what to send as `after` for those that follow, null at the end."""

    items: list[T]
    next: str | None


class PlacementOut(BaseModel):
    """Where a lead is: with an agent, or waiting."""

    lead_id: int
    status: str
    assignment_id: Id | None
    booking_id: Id | None
    agent_id: Id | None
    agent_name: str | None
    match_score: float | None
    win_probability: float | None
    win_low: float | None
    win_high: float | None
    expected_value: float | None
    policy: str | None
    model_id: int | None
    open: int | None
    capacity: int | None
    notices: list[str] | None
    duplicates: list[int] | None


class PlacementsOut(BaseModel):
    """The placements of a batch, in the order of its leads."""

    placements: list[PlacementOut]


class LeadOut(BaseModel):
    """A lead and who has it."""

    lead_id: int
    external_id: str | None
    customer_id: str | None
    customer_name: str
    attributes: dict[str, Any]
    requirements: str | None
    priority: int
    idempotency_key: str | None
    received_at: datetime
    status: str
    policy: str | None
    assignment_id: Id | None
    agent_id: Id | None
    agent_name: str | None
    booking_id: Id | None
    booking_status: str | None


class RankedOut(BaseModel):
    """One agent of a ranking."""

    rank: int | None
    agent_id: Id
    agent_name: str
    match_score: float | None
    win_probability: float | None
    win_low: float | None
    win_high: float | None
    expected_value: float | None
    open: int
    capacity: int
    eligible: bool
    reasons: list[Any] | None


class RankingOut(BaseModel):
    """The agents ranked for a lead, and what the data can support."""

    policy: str
    model: int | None
    evidence: str
    lead: dict[str, Any]
    ranking: list[RankedOut]


class AssignmentOut(BaseModel):
    """An assignment with its lead and booking."""

    assignment_id: Id
    lead_id: int
    customer_name: str
    attributes: dict[str, Any]
    requirements: str | None
    agent_id: Id
    agent_name: str
    status: str
    assigned_at: datetime
    first_contact_at: datetime | None
    offered_until: datetime | None
    accepted_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    match_score: float | None
    policy: str | None
    model_id: int | None
    booking_id: Id | None
    booking_status: str | None


class ExplanationOut(BaseModel):
    """Why an assignment went to its agent, with the ranking as the decision saw it."""

    assignment_id: Id
    lead_id: int
    agent_id: Id | None
    agent_name: str | None
    policy: str
    decided_at: str
    ranking: list[dict[str, Any]] | None


class ReplayOut(BaseModel):
    """A decision recomputed from its record."""

    assignment_id: Id
    agrees: bool


class ContactOut(BaseModel):
    """When the customer was first reached."""

    assignment_id: Id
    first_contact_at: datetime


class AcceptedOut(BaseModel):
    """Since when the agent has a lead that was offered."""

    assignment_id: Id
    accepted_at: datetime


class WhyOut(BaseModel):
    """Why a lead came to the agent, or did not; nothing of the others."""

    lead_id: int
    agent_id: Id
    status: str
    came: bool
    had_before: bool
    declined: bool
    named: bool
    policy: str | None
    evidence: str | None
    decided_at: str | None
    from_queue: bool | None
    rank: int
    eligible: bool
    match_score: float | None
    win_probability: float | None
    win_low: float | None
    win_high: float | None
    expected_value: float | None
    open: int
    capacity: int
    reasons: list[Any] | None
    would_have_got_it: str | None


class RateOut(BaseModel):
    """The agent's known outcomes, and the rate of those won with its 90 % interval."""

    agent_id: Id
    known: int
    won: int
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    evidence: str | None


class SettlementOut(BaseModel):
    """A booking after its change of status."""

    booking_id: Id
    assignment_id: Id
    agent_id: Id
    agent_name: str
    status: str
    total_revenue: float | None
    open: int
    capacity: int
    notices: list[str] | None


class ShiftOut(BaseModel):
    """From when until when; null: without end."""

    start: datetime | None = Field(alias="from")
    until: datetime | None


class ChannelOut(BaseModel):
    """A channel with limits."""

    dimension: str
    channel: str
    capacity: int | None
    places: int
    open: int


class ChannelsOut(BaseModel):
    """The channels with limits."""

    channels: list[ChannelOut]


class AgentChannelOut(BaseModel):
    """What an agent has open of a channel, and may have."""

    channel: str
    open: int
    capacity: int | None
    places: int
    own: bool


class AgentOut(BaseModel):
    """An agent with the workload."""

    agent_id: Id
    agent_name: str
    active: bool
    open: int
    capacity: int
    channels: list[AgentChannelOut] | None = Field(description="Null: no channel has a limit.")
    department: str | None
    job_title: str | None
    skills: list[str]
    shifts: list[ShiftOut] | None


class WaitingOut(BaseModel):
    """A lead that waits, with how many agents could take it."""

    place: int
    lead_id: int
    external_id: str | None
    customer_name: str
    attributes: dict[str, Any]
    requirements: str | None
    priority: int
    received_at: datetime
    waited_s: float
    required_skills: list[str] | None
    required_department: str | None
    agents_who_could: int


class PolicyOut(BaseModel):
    """A rule that orders agents."""

    name: str
    params: dict[str, Any]
    is_default: bool


class PolicyIn(Request):
    """What a policy is to be."""

    params: dict[str, Any] | None = Field(
        None, description="All its parameters; without it they stay.", examples=[{"fairness": 0.2}]
    )
    make_default: bool = Field(False, description="Use it where none is named.")
    reason: Text | None = Field(None, description="Needed where a second person has to agree.")


class ChangeReasonIn(Request):
    """Why a change is made."""

    reason: Text | None = Field(None, description="Needed where a second person has to agree.")


class ProposedOut(BaseModel):
    """What became of a change that was asked for."""

    proposal_id: int | None = Field(description="It waits for a second person; null: it is in force.")


class ProposalOut(BaseModel):
    """A change that somebody asked for."""

    proposal_id: int
    asked_at: datetime
    asked_by: str
    asked_by_name: str
    kind: Literal["model", "policy", "second_person"]
    object_id: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str
    status: Literal["waiting", "agreed", "refused", "withdrawn"]
    decided_at: datetime | None
    decided_by: str | None
    decided_by_name: str | None
    decided_reason: str | None


class ProposalsOut(BaseModel):
    """Changes that somebody asked for, and whether a second person has to agree."""

    required: bool
    proposals: list[ProposalOut]


class SecondPersonIn(Request):
    """Whether changes of a model or a policy wait for a second person."""

    required: bool
    reason: Text = Field(examples=["agreed with the works council"])


class PoliciesOut(BaseModel):
    """The policies; the first is used where none is named."""

    policies: list[PolicyOut]


class ModelOut(BaseModel):
    """A registered model."""

    model_id: int
    kind: str
    created_at: datetime
    promoted: bool
    promoted_at: datetime | None
    evidence: dict[str, Any] | None
    metrics: dict[str, Any] | None


class ModelsOut(BaseModel):
    """The registered models, newest first."""

    models: list[ModelOut]


class EvidenceOut(BaseModel):
    """What the data can support, as the model at work found it."""

    model_id: int | None
    text: str
    evidence: dict[str, Any] | None


class TaskOut(BaseModel):
    """A task of the nightly plan."""

    task_id: int
    day: str
    account_id: str
    rep_id: str | None
    action: str
    channel: str
    status: str
    outcome: str | None


class TasksOut(BaseModel):
    """Tasks by day, representative and time."""

    tasks: list[TaskOut]


class RunsOut(BaseModel):
    """The published runs, newest first, with what became of their tasks."""

    runs: list[dict[str, Any]]


People = Annotated[list[Text], Field(max_length=1000)]


class InputChangesIn(Request):
    """How the people of a run are changed to see what it would bring."""

    visits_per_day: int = Field(0, ge=-1000, le=1000, description="More for each representative.")
    shift_end_min: int = Field(0, ge=-1440, le=1440, description="Later for each representative.")
    more_representatives: People = Field(default_factory=list, description="Whom each further one is like.")
    without_representatives: People = Field(default_factory=list)
    more_staff: People = Field(default_factory=list, description="Whom each further person is like.")
    without_staff: People = Field(default_factory=list)


class RunIn(Request):
    """What to plan: the rest is as the service's settings say; paths are below its folder of tables."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"as_of": "2026-01-31T08:00:00", "publish": False}]}
    )

    directory: Text | None = Field(None, description="A folder below that of the tables.")
    map: Text | None = Field(None, description="A mapping below the folder of the tables.")
    accounts: Text | None = None
    orders: Text | None = None
    touches: Text | None = None
    reps: Text | None = None
    history: Text | None = None
    staff: Text | None = None
    promises: Text | None = None
    frequencies: Text | None = None
    call_backs: Text | None = None
    arrivals: Text | None = None
    world: Literal["barcelona"] | None = Field(None, description="A synthetic company instead.")
    n: int | None = Field(None, ge=1, le=100_000, description="Its accounts.")
    as_of: datetime | None = Field(None, description="The cut-off; default: the day after the latest row.")
    seed: int = Field(0, ge=0, le=2**53)
    force: bool = Field(False, description="Go on in spite of the quality gate.")
    touches_from_desk: bool | None = None
    publish: bool | None = Field(None, description="Put the day's tasks on the desk.")
    previous: int | None = Field(
        None, ge=0, le=2**53, description="The run to take over from; default: the last one; 0: none."
    )
    locale: Text | None = None
    language: Text | None = None
    currency: Text | None = None
    company: Text | None = None
    params: dict[str, Any] | None = Field(
        None, description="Of the stages, as in params.toml.", examples=[{"route": {"iterations": 2000}}]
    )
    what_if: int | None = Field(
        None, ge=1, le=2**53, description="The run to plan again, with `changes` and `params` alone."
    )
    changes: InputChangesIn | None = Field(None, description="Of the people of a what-if.")


class NightOut(BaseModel):
    """A run of the plan: who asked for it, how far it has come, and how it ended."""

    night_id: int
    requested_by: str
    request_id: str | None
    requested_at: datetime
    due_at: datetime | None
    options: dict[str, Any]
    status: Literal["queued", "running", "done", "failed", "cancelled", "missed"]
    begin_at: datetime
    attempts: int
    worker: str | None
    begun_at: datetime | None
    ended_at: datetime | None
    stage: str | None
    share: float
    cancelled_by: str | None
    result: dict[str, Any] | None
    error: str | None


class ScenarioIn(Request):
    """A copy of the territories that a run planned."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Two in the north"}]})

    name: Text
    night_id: int | None = Field(None, ge=1, le=2**53, description="The run; default: the last one.")


class ScenarioEditIn(Request):
    """A change of a scenario. `to`: a territory, or the representative who has it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"kind": "accounts", "accounts": ["A1"], "to": "R2"}]}
    )

    kind: Literal["accounts", "cells", "area", "merge", "leave", "join"]
    accounts: Annotated[list[Text], Field(min_length=1, max_length=10_000)] | None = None
    cells: Annotated[list[Text], Field(min_length=1, max_length=10_000)] | None = Field(
        None, description="H3 cells."
    )
    area: Annotated[list[tuple[float, float]], Field(min_length=3, max_length=1000)] | None = Field(
        None, description="Corners of a polygon: latitude, longitude."
    )
    to: Text | None = None
    territory: Text | None = Field(None, description="Of merge: it becomes a part of `into`.")
    into: Text | None = None
    rep_id: Text | None = Field(None, description="Who leaves or joins.")
    home_lat_deg: float | None = Field(None, ge=-90, le=90, description="Of somebody the run does not know.")
    home_lon_deg: float | None = Field(None, ge=-180, le=180)
    after: int | None = Field(
        None, ge=0, lt=2**31, description="`last_edit` as it was seen: a later one is a conflict."
    )


class ScenarioApprovalIn(Request):
    """From when on a scenario is in force."""

    effective_from: date = Field(description="Runs that plan this day or a later one keep it.")


class ScenarioItemOut(BaseModel):
    """A scenario of territories."""

    scenario_id: int
    name: str
    night_id: int
    status: Literal["draft", "approved", "retired"]
    created_by: str
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    effective_from: date | None
    retired_at: datetime | None
    figures: dict[str, Any] | None
    last_edit: int
    edits: int


class ScenarioListOut(BaseModel):
    """Scenarios of territories, newest first; `figures` as they were when it was approved."""

    scenarios: list[ScenarioItemOut]


class ScenarioOut(ScenarioItemOut):
    """A scenario with its figures beside those of the standing plan."""

    figures: dict[str, Any]
    standing: dict[str, Any]
    territories: list[dict[str, Any]]
    without_territory: list[str]
    history: list[dict[str, Any]]


class ScenarioAccountOut(BaseModel):
    """An account of a scenario."""

    account_id: str
    account_name: str
    territory: str
    rep_id: str | None
    standing_rep_id: str | None
    moved: bool
    value_eur: float | None
    workload_h: float


class KpisOut(BaseModel):
    """Key figures with their targets."""

    kpis: list[dict[str, Any]]


class RunAccountOut(BaseModel):
    """An account of a run."""

    model_config = ConfigDict(extra="allow")

    account_id: str


class RunFileOut(BaseModel):
    """A file of a run."""

    name: str
    bytes: int


class FilesOut(BaseModel):
    """The files of a run by name."""

    files: list[RunFileOut]


class DayChangeIn(Request):
    """A change of a planned day; which fields it takes follows from its kind."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"kind": "move", "account_id": "A0000186", "rep_id": "R001", "begin_min": 630}]
        },
    )

    kind: Literal[
        "move", "leave_out", "pin", "absent", "overrun", "shift",
        "centre_shift", "move_call", "leave_out_call", "pin_call", "centre_absent", "call_overrun",
    ]  # fmt: skip
    account_id: Text | None = Field(None, description="Of a move, an omission, a pin, an overrun.")
    rep_id: Text | None = Field(None, description="Of a move, an absence, a shift: whose.")
    begin_min: int | None = Field(
        None,
        ge=0,
        lt=2880,
        description="Minutes after midnight; default: where it costs least.",
    )
    extra_min: int | None = Field(None, ge=1, le=1440, description="By how much an overrun takes longer.")
    from_min: int | None = Field(None, ge=0, lt=2880, description="From when somebody is absent.")
    with_moment: bool | None = Field(None, description="Whether a pin holds the moment of a visit, too.")
    start_min: int | None = Field(None, ge=0, lt=2880)
    end_min: int | None = Field(None, ge=1, le=2880)
    seen: int = Field(0, ge=0, le=2**53, description="`seen` of the day as it was looked at.")


class DaySeenIn(Request):
    """Which change was the newest when the day was looked at."""

    seen: int = Field(0, ge=0, le=2**53, description="`seen` of the day as it was looked at.")


class DayReplanIn(DaySeenIn):
    """From when the rest of a day is planned again."""

    from_min: int | None = Field(
        None,
        ge=0,
        lt=2880,
        description="Visits, or calls and work, that begin before it stand; default: the day has not begun.",
    )
    part: Literal["field", "centre"] = Field(
        "field", description="The visits, or the contact centre's shifts and calls."
    )
    shifts: bool = Field(
        default=False, description="Whether people of the contact centre may be asked to work other shifts."
    )


class DayFiguresOut(BaseModel):
    """What a day is worth and what it takes."""

    visits: int
    value_eur: float
    travel_min: float
    distance_km: float
    cost_eur: float


class DayOut(BaseModel):
    """A planned day as people have changed it, and what that costs against the plan."""

    night_id: int
    day: date
    seen: int
    figures: DayFiguresOut
    planned: DayFiguresOut
    difference: DayFiguresOut
    visits: list[dict[str, Any]]
    days: list[dict[str, Any]]
    not_made: list[dict[str, Any]]
    pinned: list[str]
    pinned_moment: list[str] = Field(description="Of the pinned ones, those that stay at their moment.")
    deeds: list[dict[str, Any]]
    centre: dict[str, Any] | None = Field(
        None, description="The contact centre: shifts, calls, levels by interval, figures; null without one."
    )
    version: int | None


class ComparisonOut(BaseModel):
    """What differs between two runs."""

    night_id: int
    before: int
    kpis: list[dict[str, Any]]
    changed: int
    items: list[dict[str, Any]]
    next: str | None


class ChangeOut(BaseModel):
    """What somebody did, and what was before and after it."""

    change_id: int
    changed_at: datetime
    actor: str
    actor_name: str
    action: str
    object: str
    object_id: Id
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    request_id: str | None


class PauseIn(Request):
    """To whom: an agent, a team (a department), or everybody with neither."""

    reason: Text = Field(examples=["the scores look wrong since this morning"])
    agent_id: Id | None = None
    team: Text | None = None


class PausedOut(BaseModel):
    """How many agents it concerned."""

    agents: int


class PauseOut(BaseModel):
    """An agent to whom the desk gives no leads."""

    agent_id: Id
    agent_name: str
    team: str | None
    paused_at: datetime
    reason: str


class PausesOut(BaseModel):
    """To whom the desk gives no leads."""

    pauses: list[PauseOut]


class ContestedOut(BaseModel):
    """When an outcome was contested."""

    assignment_id: Id
    contested_at: datetime


class ResolvedOut(BaseModel):
    """When that was resolved."""

    assignment_id: Id
    resolved_at: datetime


class ContestOut(BaseModel):
    """An outcome that its agent does not accept."""

    assignment_id: Id
    outcome: str | None
    agent_id: Id
    agent_name: str
    contested_at: datetime
    reason: str
    resolved_at: datetime | None


class ContestsOut(BaseModel):
    """The outcomes that are contested."""

    contests: list[ContestOut]


class EraseIn(Request):
    """Why, and leads of the customer that have no customer_id."""

    reason: Text = Field(examples=["the customer asked for it"])
    lead_ids: Annotated[list[Annotated[int, Field(ge=1, le=2**53)]], Field(max_length=1000)] = Field(
        default_factory=list
    )


class ErasedOut(BaseModel):
    """What was changed; `kept_decisions` are in months that were archived."""

    leads: int
    tasks: int
    changes: int = Field(description="Changes of days, and edits and accounts of scenarios.")
    decisions: int
    archived: int
    archived_files: list[str] = Field(
        description="Files of the archive that may still hold what the customer wrote: the desk changes none."
    )
    kept_decisions: list[int]


class KeyOut(BaseModel):
    """A key without its secret."""

    key_id: str
    name: str
    scopes: list[str]
    agent_id: Id | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    replaces: str | None
    is_valid: bool


class KeysOut(BaseModel):
    """All keys, oldest first."""

    keys: list[KeyOut]


class NewKeyOut(BaseModel):
    """A key that was made: it is shown this once."""

    key_id: str
    key: str


class RevokedOut(BaseModel):
    """When a key was revoked."""

    key_id: str
    revoked_at: datetime


class WhoOut(BaseModel):
    """Who it is, and what they may do; key_id is null for a person who came from an OpenID provider."""

    key_id: str | None
    name: str
    scopes: list[str]
    agent_id: Id | None
    expires_at: datetime | None


class HealthOut(BaseModel):
    """The process is alive."""

    status: Literal["alive"]
    version: str


class ReadyOut(BaseModel):
    """The process can serve."""

    status: Literal["ready"]
    database: str


class WebhookIn(Request):
    """An address to tell of events."""

    url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[^\x00-\x20\x7f-\x9f]+$")] = (
        Field(examples=["https://crm.example.com/events"])
    )
    kinds: Annotated[list[Text], Field(min_length=1, max_length=50)] | None = Field(
        None, description="Only these; without it all.", examples=[["assigned"]]
    )


class NewWebhookOut(BaseModel):
    """A webhook that was made: its secret is shown this once."""

    webhook_id: int
    secret: str


class WebhookOut(BaseModel):
    """An address, how far it has heard, and what keeps it."""

    webhook_id: int
    url: str
    kinds: list[str] | None
    heard: str
    created_at: datetime
    disabled_at: datetime | None = Field(description="It was gone, or took nothing for too long.")
    paused_at: datetime | None
    failures: int
    failing_since: datetime | None = Field(description="Since when it has taken nothing.")
    retry_at: datetime | None
    last_error: str | None
    dead_letters: int


class WebhooksOut(BaseModel):
    """All webhooks."""

    webhooks: list[WebhookOut]


class WebhookResumedOut(BaseModel):
    """A webhook that receives events again."""

    webhook_id: int
    archived_until: datetime | None = Field(
        description="Until then the events it has not got are in the archive, and are not sent."
    )


class DeadLetterOut(BaseModel):
    """An event that was put aside because an address did not take it."""

    event: str
    kind: str
    given_up_at: datetime
    error: str


class DeadLettersOut(BaseModel):
    """What was put aside for an address, oldest first."""

    dead_letters: list[DeadLetterOut]


class DeadLetterSentOut(BaseModel):
    """What became of an event that was sent once more."""

    webhook_id: int
    event: str
    error: str | None = Field(description="Why it was not taken, and stays put aside; null: it was taken.")
