"""Who is responsible for which accounts: the stage *territory*."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.plan.inputs import align, gather_inputs
from dealwright.plan.territories import demand, drawing, matching, result
from dealwright.plan.territories.approved import ApprovedTerritories
from dealwright.plan.territories.balance import Homes
from dealwright.plan.territories.drawing import Division, PlacedAccounts
from dealwright.plan.territories.params import TerritoryParams
from dealwright.plan.territories.result import Territories
from dealwright.schemas import PREVIOUS_TERRITORY_COLUMNS, REP_COLUMNS, AccountSchema, PlanInputs, conform
from dealwright.stats.arrays import Ints
from dealwright.wording import count_of

_NOTHING: Final = 1e-9  # of a share


def draw_territories(
    accounts: pl.DataFrame,
    reps: pl.DataFrame | None = None,
    params: TerritoryParams | None = None,
    *,
    predictions: pl.DataFrame | None = None,
    previous: pl.DataFrame | None = None,
    approved: ApprovedTerritories | None = None,
    schema: AccountSchema | None = None,
    rng: np.random.Generator | None = None,
) -> Territories:
    """Divide the accounts into balanced, compact territories and give each to a representative.

    Parameters
    ----------
    accounts
        ``account_id``, ``lat_deg``, ``lon_deg``; of the roles, ``rep_id``, ``visit_min`` and
        ``product_interest`` are read.
    reps
        `REP_COLUMNS`, and ``skills``.
    predictions
        ``account_id``, ``predicted_value_eur``; needed where the workload is to include value.
    previous
        `PREVIOUS_TERRITORY_COLUMNS`: last month's territories; by default those that the accounts' own
        representatives make. They are kept, or only balanced again, unless a change pays within
        `TerritoryParams.months`.
    approved
        Territories that are kept as somebody has approved them; accounts that are not in there go to the
        nearest middle.
    schema
        Which column is what; by default it follows from names and types.
    rng
        Not used: nothing is drawn at random.

    Raises
    ------
    InputError
        Impossible parameters, or accounts without position columns.
    """
    del rng
    params = params or TerritoryParams()
    inputs = gather_inputs(accounts, schema=schema, reps=reps)
    if previous is not None:
        previous = conform(previous, PREVIOUS_TERRITORY_COLUMNS, *PREVIOUS_TERRITORY_COLUMNS)
        previous = None if previous.is_empty() else previous
    if not inputs.schema.has_position:
        raise InputError(
            "territories need the positions of the accounts: map lat_deg and lon_deg in the schema file"
        )
    accounts = inputs.accounts
    if predictions is not None:
        predictions = align(predictions, accounts["account_id"], "predicted_value_eur")
    placed = (accounts["lat_deg"].is_not_null() & accounts["lon_deg"].is_not_null()).to_numpy()
    rows = np.flatnonzero(placed)
    reps = pl.DataFrame(schema=REP_COLUMNS) if inputs.reps is None else inputs.reps
    _require_homes(reps)
    notes = []
    if rows.size < accounts.height:
        notes.append(
            f"no territory for {count_of(accounts.height - rows.size, 'account')} without a position"
        )
    if not reps.height:
        notes.append("there is no representative: the territories belong to nobody")
    approved, said = _usable(approved, accounts["account_id"].gather(rows))
    notes += said
    names = _names(params, reps.height, previous) if approved is None else list(approved.holders)
    if not rows.size or not names:
        reason = (
            "no account has a position"
            if not rows.size
            else "there is no representative, and no number given"
        )
        return result.nothing(accounts["account_id"], (*notes, reason))
    workload, visits = demand.workload_of(inputs, params, predictions)
    ground = drawing.survey(
        accounts["lat_deg"].to_numpy()[rows], accounts["lon_deg"].to_numpy()[rows], workload[rows],
        visits[rows], resolution=params.resolution, territories=len(names),
    )  # fmt: skip
    if approved is not None:
        drawn = _keep(ground, approved, inputs, reps=reps, rows=rows, params=params)
    else:
        drawn = _decide(ground, inputs, reps=reps, rows=rows, params=params, names=names, previous=previous)
    drawn = replace(drawn, notes=(*notes, *drawn.notes))
    return result.assemble(
        inputs, ground, rows=rows, drawn=drawn, params=params, own_rep=demand.own_rep_id(inputs)
    )


def _decide(
    ground: PlacedAccounts, inputs: PlanInputs, *, reps: pl.DataFrame, rows: Ints, params: TerritoryParams,
    names: list[str], previous: pl.DataFrame | None,
) -> result.NamedDivision:  # fmt: skip
    """Keep the territories of last month, balance them again, or draw new ones."""
    known = _known(inputs.accounts["account_id"], names, previous)
    if previous is None and len(names) == reps.height:
        # the accounts' representatives are what there was before
        known = demand.own_rep(inputs, reps)
    homes = None
    if len(names) == reps.height:
        lat, lon = reps["home_lat_deg"].to_numpy(), reps["home_lon_deg"].to_numpy()
        homes = Homes(ground.plane.project(lat, lon), params.travel)

    def suited(division: Division) -> Ints:
        return _match(ground, division, inputs, reps=reps, rows=rows, params=params, names=names)[0]

    division, decision, keeping_eur = _choose(
        ground, None if known is None else known[rows], names, params, homes=homes, suited=suited
    )
    found, said = _match(ground, division, inputs, reps=reps, rows=rows, params=params, names=names)
    rep_id = [None if rep < 0 else str(reps["rep_id"][int(rep)]) for rep in found]
    return result.NamedDivision(division, names, rep_id, decision, tuple(said), keeping_eur)


def _usable(
    approved: ApprovedTerritories | None, account_id: pl.Series
) -> tuple[ApprovedTerritories | None, list[str]]:
    """Return what was approved, or say that it has nothing to do with these accounts."""
    if approved is None or (approved.label(account_id) >= 0).any():
        return approved, []
    return None, [f'the territories approved as "{approved.name}" name no account of this night: not kept']


def _require_homes(reps: pl.DataFrame) -> None:
    """Refuse representatives whose home is not known, naming the first."""
    known = pl.all_horizontal(
        pl.col(name).cast(pl.Float64).is_finite().fill_null(value=False)
        for name in ("home_lat_deg", "home_lon_deg")
    )
    if lost := reps.filter(~known)["rep_id"].to_list():
        raise InputError(
            f"the home of {lost[0]} is not known: give home_lat_deg and home_lon_deg, or leave the "
            "representative out"
        )


def _names(params: TerritoryParams, reps: int, previous: pl.DataFrame | None) -> list[str]:
    """Name the territories; those of last month keep their names."""
    count = params.territories or reps
    old: list[str] = []
    if previous is not None:
        sizes = previous.drop_nulls("territory")["territory"].value_counts(sort=True)
        old = sorted(sizes["territory"].head(count).to_list())
    fresh = (f"T{number:03d}" for number in range(1, count + len(old) + 1))
    return old + [name for name in fresh if name not in old][: count - len(old)]


def _known(account_id: pl.Series, names: list[str], previous: pl.DataFrame | None) -> Ints | None:
    """Return last month's territory of each account as a number, -1 without; None if nobody has one."""
    if previous is None:
        return None
    number = {name: k for k, name in enumerate(names)}
    last = previous.unique("account_id", keep="last").select(
        "account_id",
        pl.col("territory").replace_strict(number, default=-1, return_dtype=pl.Int64).alias("number"),
    )
    frame = pl.DataFrame({"account_id": account_id}).join(
        last, on="account_id", how="left", maintain_order="left"
    )
    known = frame["number"].fill_null(-1).to_numpy()
    return known if (known >= 0).any() else None


def _choose(
    ground: PlacedAccounts,
    known: Ints | None,
    names: list[str],
    params: TerritoryParams,
    *,
    homes: Homes | None,
    suited: Callable[[Division], Ints],
) -> tuple[Division, str, float | None]:  # fmt: skip
    """Keep, adjust or redraw, whichever costs least over the months.

    The last of what is returned is what a month would cost more if every account stayed where it was; None
    where there is nothing to stay with.

    Parameters
    ----------
    homes
        Of the representatives, where there is one for each territory.
    suited
        Returns who would get each territory of a division.
    """
    k = len(names)
    fresh = drawing.redraw(ground, k, params.tolerance, rounds=params.rounds, homes=homes)
    if known is None or not (known >= 0).any():
        return fresh, "drawn anew: there were none before", None
    kept = drawing.continue_old(ground, known, k)
    theirs = None
    if homes is not None:
        theirs = Homes(homes.km[suited(kept)], params.travel)
        kept = replace(kept, home_km=theirs.km)
    options = {
        "kept as they were": kept,
        "kept and balanced again": drawing.adjust(ground, kept, params.tolerance, theirs),
        "drawn anew": drawing.rename_like(fresh, known),
    }
    prices = {
        name: drawing.price(
            ground, option, known,
            km_eur=params.km_eur, minute_eur=params.imbalance_eur_per_min, move_eur=params.move_eur,
        )
        for name, option in options.items()
    }  # fmt: skip
    best = min(prices, key=lambda name: prices[name].total_eur(params.months))
    comparison = "; ".join(
        f"{name}: {cost.monthly_eur:,.0f} EUR a month and {cost.moved:,} accounts moved "
        f"({cost.move_eur:,.0f} EUR)"
        for name, cost in prices.items()
    )
    keeping = prices["kept as they were"].monthly_eur - prices[best].monthly_eur
    return options[best], f"{best}, the cheapest over {params.months:g} months ({comparison})", keeping


def _keep(
    ground: PlacedAccounts, approved: ApprovedTerritories, inputs: PlanInputs, *, reps: pl.DataFrame,
    rows: Ints, params: TerritoryParams,
) -> result.NamedDivision:  # fmt: skip
    """Keep territories as they were approved, and say what they do not say."""
    names, holders = list(approved.holders), list(approved.holders.values())
    known = approved.label(inputs.accounts["account_id"])[rows]
    division = drawing.continue_old(ground, known, len(names))
    people = reps["rep_id"].to_list()
    given = np.array([people.index(rep) if rep in people else -1 for rep in holders], dtype=np.int64)
    found, said = _match(
        ground, division, inputs, reps=reps, rows=rows, params=params, names=names, given=given
    )
    if reps.height and (found >= 0).all():
        lat, lon = (reps[name].to_numpy()[found] for name in ("home_lat_deg", "home_lon_deg"))
        division = replace(division, home_km=ground.plane.project(lat, lon))
    since = f'approved as "{approved.name}", in force since {approved.effective_from}'
    notes = [f"the territories are those {since}"]
    if new := int((known < 0).sum()):
        some = "1 account is" if new == 1 else f"{new:,} accounts are"
        notes.append(f"{some} not among the approved territories and went to the nearest of them")
    gone = [str(rep) for rep in holders if rep is not None and rep not in people]
    notes += [f"{rep} has an approved territory and is not among the representatives" for rep in gone]
    rep_id = [None if rep < 0 else str(people[int(rep)]) for rep in found]
    return result.NamedDivision(division, names, rep_id, f"kept as {since}", (*notes, *said))


def _match(
    ground: PlacedAccounts, division: Division, inputs: PlanInputs, *, reps: pl.DataFrame, rows: Ints,
    params: TerritoryParams, names: list[str], given: Ints | None = None,
) -> tuple[Ints, list[str]]:  # fmt: skip
    """Return the representative of each territory, and who is out of whose reach.

    Parameters
    ----------
    given
        The representatives of territories that have one, -1 for one that is to get one.
    """
    k, notes = len(division.centre_km), []
    if not reps.height:
        return np.full(k, -1, dtype=np.int64), []
    if reps.height != k:
        notes.append(f"{k} territories for {reps.height} representatives: some have none")
    shift_min = demand.shift_minutes(reps, params)
    fit = matching.measure_fit(
        ground, division, reps["home_lat_deg"].to_numpy(), reps["home_lon_deg"].to_numpy(), params.travel,
        own_rep=demand.own_rep(inputs, reps)[rows], shift_min=shift_min, visit_min=params.visit_min,
        **demand.skills_of(inputs, reps, rows, params),
    )  # fmt: skip
    found = matching.match(fit, continuity_min=params.continuity_min, skill_min=params.skill_min, given=given)
    nobody = np.flatnonzero(fit.reach <= _NOTHING)
    notes += [
        f"{reps['rep_id'][int(rep)]} reaches no account within a shift of "
        f"{round(float(shift_min[rep]) / 60, 1):g} h: check the home, or give longer shifts"
        for rep in nobody
    ]
    loads = np.bincount(division.label, minlength=k)
    for number in np.flatnonzero((found >= 0) & (loads > 0)):
        rep = int(found[number])
        beyond = float(fit.out_of_reach[number, rep])
        if beyond <= _NOTHING or rep in nobody:
            continue
        some = "nothing" if beyond >= 1 - _NOTHING else f"only {1 - beyond:.0%} of the work"
        best = float(fit.out_of_reach[number].min())
        others = "; nobody else reaches more" if best >= beyond - _NOTHING else ""
        notes.append(
            f"{reps['rep_id'][rep]} reaches {some} of the territory {names[number]} within a shift{others}"
        )
    return found, notes
