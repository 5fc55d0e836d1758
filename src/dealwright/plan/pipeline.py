"""The nightly plan, from accounts to everybody's day; reads top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import polars as pl
import polars.selectors as cs

from dealwright.parallel import parallel_map
from dealwright.plan.actions import choose_actions
from dealwright.plan.actions.catalogue import Catalogue
from dealwright.plan.anomalies import detect_anomalies
from dealwright.plan.briefs import write_briefs
from dealwright.plan.coordination import Night, Reach
from dealwright.plan.drift import measure_drift
from dealwright.plan.headcount import find_headcount
from dealwright.plan.kpis import Findings, judge, measure
from dealwright.plan.limits import Limits, find_limits
from dealwright.plan.listed import Listed
from dealwright.plan.one_more import find_one_more
from dealwright.plan.params import PlanParams, on_the_companys_clock
from dealwright.plan.partitions import MANY_ACCOUNTS
from dealwright.plan.prediction import predict
from dealwright.plan.prediction.model_store import ModelStore
from dealwright.plan.quality import check_quality
from dealwright.plan.result import Plan, PreviousRun
from dealwright.plan.routing import Routes, find_visitable, plan_distance_baseline
from dealwright.plan.segments import segment
from dealwright.plan.staffing import Schedule
from dealwright.plan.stages import StageResults
from dealwright.plan.territories import ApprovedTerritories, draw_territories
from dealwright.plan.trace import FIELD_STAGES, STAGES, Progress, StageResult, Tracer, hash_frame, hash_text
from dealwright.plan.travel import TravelTimes
from dealwright.schemas import ACCOUNT_RESULT_COLUMNS, PlanInputs


def run_plan(
    inputs: PlanInputs,
    params: PlanParams | None = None,
    *,
    seed: int = 0,
    force: bool = False,
    previous: PreviousRun | None = None,
    store: ModelStore | None = None,
    progress: Progress | None = None,
    travel: TravelTimes | None = None,
    land: Any = None,
    approved: ApprovedTerritories | None = None,
    executor: Executor | None = None,
) -> Plan:
    """Plan one night: from accounts to the next best action of each.

    Parameters
    ----------
    inputs
        From `dealwright.read_plan_inputs`, a synthetic world, or built by hand.
    seed
        The same inputs, parameters and seed give the same plan.
    force
        Go on in spite of the quality gate.
    previous
        What to take over from the last run (`Plan.as_previous`).
    store
        Where models are kept between runs; a champion kept there is only replaced by a better challenger.
    progress
        Called when a stage begins.
    travel
        A road service (`routing.travel_service.RoadService`); by default times are estimated.
    land
        Where there is land, as a Shapely polygon in degrees, longitude first: an account elsewhere is not
        visited, and the reason says so.
    approved
        Territories that are kept as somebody has approved them.
    executor
        Where representatives' days are planned, accounts are predicted, scored and explained, and briefs are
        written: processes, or a cluster (`dealwright.runs.cluster`); by default threads. The plan stays the
        same.

    Raises
    ------
    InputError
        The inputs cannot be used; the message names the column and the fix.
    GateError
        Too many rows were rejected.
    """
    params = on_the_companys_clock(params or PlanParams(), inputs.time_zone)
    last = previous or PreviousRun()
    in_the_field = inputs.schema.has_position and inputs.reps is not None and not inputs.reps.is_empty()
    names = STAGES if in_the_field else tuple(name for name in STAGES if name not in FIELD_STAGES)
    stages = Tracer(seed, _hash_inputs(inputs, seed, land), len(names), progress, executor=executor)
    rows = inputs.accounts.height

    # a new stage: its parameters in `PlanParams`, its result in `StageResults`, one line here
    quality = stages.run("quality", rows, check_quality, inputs, params.quality, force=force, land=land)
    data = quality.inputs
    del inputs  # what was given may be large, and is not needed any more
    rows, account_id, past = data.accounts.height, data.accounts["account_id"], data.logs()
    known: dict[str, Any] = {"schema": data.schema, "as_of": data.as_of}
    listed = Listed(kept=rows <= MANY_ACCOUNTS)
    predictions = listed.part_with(
        stages.run(
            "predict", rows, predict, data.accounts, params.predict, **past, **known, store=store,
            executor=executor,
        ),
        "churn_reasons", "value_reasons",
    )  # fmt: skip
    anomalies = stages.run(
        "anomalies",
        rows,
        detect_anomalies,
        data.accounts,
        params.anomalies,
        orders=past["orders"],
        **known,
        executor=executor,
    )
    segments = stages.run(
        "segment", rows, segment, data.accounts, predictions.frame, params.segment, schema=data.schema
    )
    actions = listed.part_with(
        stages.run(
            "action", rows, choose_actions, data.accounts, predictions.frame, segments.frame, params.action,
            anomalies=anomalies.frame, **past, **known, executor=executor,
        ),
        "reasons", "excluded",
    )  # fmt: skip
    territories = None
    if in_the_field:
        territories = stages.run(
            "territory", rows, draw_territories, data.accounts, data.reps, params.territory,
            predictions=predictions.frame, previous=last.territories, approved=approved, schema=data.schema,
        )  # fmt: skip
    night = Night(
        stages, data, actions, territories, params, last.waitlist, last.carried, travel, executor=executor
    )

    def replan(other: PlanInputs, its: PlanParams) -> Reach:
        """Plan channels and routes again, with other representatives, staff or limits."""
        quiet, drawn = Tracer(seed, "", quiet=True), territories
        if in_the_field and other.reps is not data.reps and _count(other.reps) != _count(data.reps):
            drawn = quiet.run(
                "territory", rows, draw_territories, other.accounts, other.reps, its.territory,
                predictions=predictions.frame, previous=last.territories, schema=other.schema,
            )  # fmt: skip
        return replace(night, stages=quiet, data=other, territories=drawn, params=its).find_reach()

    def restaff(other: PlanInputs, its: PlanParams) -> Schedule:
        """Plan the shifts again for the same contacts, with other staff or rules."""
        return replace(night, stages=Tracer(seed, "", quiet=True), data=other, params=its).staff(channels)

    planned = night.coordinate()
    channels, routes, schedule = planned
    distance_baseline = None
    if territories is not None:
        distance_baseline = stages.run(
            "distance_only", rows, plan_distance_baseline, data.accounts, data.reps, params.distance_only,
            decisions=find_visitable(actions.frame, actions.options, channels.frame), route=params.route,
            territories=territories.frame, promises=data.promises, frequencies=data.frequencies,
            travel=travel, executor=executor, **known,
        )  # fmt: skip
    found: list[StageResult | None] = [
        quality, predictions, anomalies, segments, actions, territories, channels, routes, schedule,
        distance_baseline,
    ]  # fmt: skip

    def describe(**tables: Any) -> Limits:
        answers: dict[str, Callable[[], pl.DataFrame]] = {}
        if params.one_more:
            answers["one_more"] = lambda: find_one_more(planned, data, params, replan)
        if params.headcount:
            answers["headcount"] = lambda: find_headcount(schedule, data, params, restaff)
        # a few long plans again, one after the other, beside many short ones; of many accounts, each needs
        # so much memory that both would make the peak of the night
        found = parallel_map(lambda answer: answer(), answers.values(), worthwhile=rows <= MANY_ACCOUNTS)
        return replace(find_limits(**tables), **dict(zip(answers, found, strict=True)))

    limits = stages.run(
        "limits", rows, describe, accounts=join_results(account_id, *found), channels=channels.table,
        left_out=None if routes is None else routes.left_out, unplaced=schedule.unplaced, staff=data.staff,
    )  # fmt: skip
    decided = with_costs(join_results(account_id, *found, limits), params.action.catalogue)
    night.solved.clear()
    briefs = stages.run(
        "brief", rows, write_briefs, data.accounts,
        listed.of(decided, contacts_of(routes, schedule)), params.brief,
        visits=None if routes is None else routes.visits, calls=schedule.calls,
        orders=past["orders"], touches=past["touches"], reps=data.reps, **known,
        executor=executor,
    )  # fmt: skip
    stages.finish()

    results = StageResults(
        quality, predictions, anomalies, segments, actions, territories, channels, routes, schedule,
        distance_baseline, limits, briefs,
    )  # fmt: skip
    accounts = listed.without(decided.with_columns(*briefs.frame.drop("account_id"), _names(data)))
    # a selection of rows copies all columns, and reasons are most of them
    flat = accounts.select(~cs.nested())
    drift, profile = measure_drift(
        data, flat, predictions.metrics, last.profile, params.quality.metric_worse_by
    )
    return Plan(
        **vars(results), inputs=data, accounts=accounts, drift=drift,
        kpis=judge(measure(Findings(results, flat, drift)), params.kpis.targets),
        trace=tuple(stages.records), profile=profile, params=params, seed=seed, listed=listed,
    )  # fmt: skip


def join_results(account_id: pl.Series, *results: StageResult | None) -> pl.DataFrame:
    """Join the frames of stages, one row per account; where two have a column, that of the later one counts.

    `ACCOUNT_RESULT_COLUMNS` come first, null where no stage has found them.
    """
    empty = pl.DataFrame(schema=ACCOUNT_RESULT_COLUMNS).clear(account_id.len())
    columns = {column.name: column for column in empty} | {"account_id": account_id}
    for result in results:
        if result is None:
            continue
        if not result.frame["account_id"].equals(account_id):
            name = type(result).__name__
            raise AssertionError(f"{name} holds other accounts than the inputs, or in another order")
        columns |= {column.name: column for column in result.frame}
    return pl.DataFrame(list(columns.values()))


def contacts_of(routes: Routes | None, schedule: Schedule) -> pl.Series:
    """Return the ids of the accounts that are visited or called."""
    tables = [schedule.calls] + ([] if routes is None else [routes.visits])
    return pl.concat([table["account_id"] for table in tables]).unique()


def with_costs(accounts: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    """Say what each account's contact costs on the channel it got in the end; who waits costs nothing yet."""
    of_action = {item.name: float(item.cost_eur) for item in catalogue.actions}
    of_channel = {item.name: float(item.cost_eur) for item in catalogue.channels}
    channel = pl.col("channel").replace_strict(of_channel, default=0.0, return_dtype=pl.Float64)
    action = pl.col("action").replace_strict(of_action, default=0.0, return_dtype=pl.Float64)
    return accounts.with_columns(
        cost_eur=pl.when(pl.col("channel").is_not_null()).then(channel + action).otherwise(0.0)
    )


def _names(data: PlanInputs) -> pl.Series:
    """Return how the accounts are called; null where no column says so."""
    column = data.schema.role("name")
    names = data.accounts[column].cast(pl.String) if column else pl.Series([None], dtype=pl.String)
    return (names if column else names.new_from_index(0, data.accounts.height)).alias("account_name")


def _count(people: pl.DataFrame | None) -> int:
    return 0 if people is None else people.height


def _hash_inputs(inputs: PlanInputs, seed: int, land: Any) -> str:
    tables = (
        "accounts", "orders", "touches", "reps", "history", "staff", "promises", "frequencies", "call_backs",
        "arrivals",
    )  # fmt: skip
    parts = [hash_frame(getattr(inputs, name)) for name in tables]
    parts += [] if land is None else [hash_text(land.wkb_hex)]
    return hash_text("|".join([*parts, repr(inputs.schema), inputs.as_of.isoformat(), str(seed)]))
