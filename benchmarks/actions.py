"""What the chosen actions earn: against an oracle, against ordering by churn, on a randomised mailing.

``python benchmarks/actions.py`` prints all tables for 50,000 accounts (about two minutes); ``--n 3200`` is
quick; ``--scale 10000 100000 1000000`` measures time and memory of the three stages instead.

The world is drawn with its truth in a separate frame; the stages never see it. Everything is evaluated with
the *true* response probabilities and the *true* expected value of every account, under the default
catalogue's levers and costs.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from dealwright.learn.off_policy import estimate_policy_value
from dealwright.plan.actions import ActionParams, Actions, choose_actions
from dealwright.plan.actions.arbitration import NONE, Budget, OptionValues, choose
from dealwright.plan.actions.catalogue import Catalogue
from dealwright.plan.actions.catalogue_file import parse_catalogue
from dealwright.plan.actions.effect_learning import EffectParams
from dealwright.plan.actions.effects import apply_effects, learn_effects
from dealwright.plan.actions.eligibility import find_eligible
from dealwright.plan.actions.facts import account_facts
from dealwright.plan.actions.fatigue import read_touches
from dealwright.plan.actions.point_in_time import PointInTimeReader
from dealwright.plan.actions.randomisation import Randomisation
from dealwright.plan.actions.reasons import ReasonTexts
from dealwright.plan.anomalies import detect_anomalies
from dealwright.plan.prediction import PredictParams, predict
from dealwright.plan.quality import QualityParams, check_quality
from dealwright.plan.segments import segment
from dealwright.schemas import TIMESTAMP, AccountSchema, PlanInputs
from dealwright.simulation.barcelona import BarcelonaParams, generate
from dealwright.simulation.response import with_channel

EVERYBODY = ActionParams(exploration_share=0.0, control_share=0.0)


@dataclass(frozen=True)
class Truth:
    """True expected value of every option for every account, and which options the rules permit."""

    value_eur: NDArray[np.float64]
    permitted: NDArray[np.bool_]
    cost_eur: NDArray[np.float64]

    def earned(self, option: NDArray[np.int64]) -> float:
        """Return what options really earn, in EUR."""
        rows = np.flatnonzero(option != NONE)
        return float(self.value_eur[rows, option[rows]].sum())


def true_values(inputs: PlanInputs, truth: pl.DataFrame, catalogue: Catalogue) -> Truth:
    """Evaluate the catalogue with the truth in place of every prediction."""
    truth = inputs.accounts.select("account_id").join(
        truth, on="account_id", how="left", maintain_order="left"
    )
    predictions = truth.select(
        "account_id", "churn_probability", predicted_value_eur=pl.col("future_value_eur")
    )
    segments = segment(inputs.accounts, predictions, schema=inputs.schema).frame
    log = read_touches(inputs, catalogue)
    found = predictions.hstack(segments.drop("account_id").get_columns())
    facts = account_facts(inputs, found, log.contacts)
    eligible = find_eligible(
        inputs,
        catalogue,
        facts,
        log,
        unavailable={},
        texts=ReasonTexts(),
        horizon_days=EVERYBODY.horizon_days,
    )
    preferred = inputs.accounts["preferred_channel"].to_numpy()
    untouched = truth["response_nothing"].to_numpy()
    columns, costs = [], []
    for action, channel in catalogue.options:
        response = with_channel(truth[f"response_{action.name}"].to_numpy(), preferred == channel.name)
        worth = facts.select(value=action.value.expr)["value"].fill_null(0.0).to_numpy() * action.lever
        costs.append(action.cost_eur + channel.cost_eur)
        columns.append((response - untouched) * worth - costs[-1])
    return Truth(np.column_stack(columns), eligible.permitted, np.array(costs))


def best(value: NDArray[np.float64], permitted: NDArray[np.bool_]) -> NDArray[np.int64]:
    masked = np.where(permitted, value, -np.inf)
    option = masked.argmax(axis=1)
    return np.where(masked.max(axis=1) > 0, option, NONE)


def by_churn(
    churn: NDArray[np.float64], option: NDArray[np.int64], cost: NDArray[np.float64], budget_eur: float
) -> NDArray[np.int64]:
    """Serve accounts by falling churn probability until the money is spent."""
    order = np.argsort(-churn, kind="stable")
    order = order[option[order] != NONE]
    affordable = order[np.cumsum(cost[option[order]]) <= budget_eur]
    chosen = np.full(option.size, NONE)
    chosen[affordable] = option[affordable]
    return chosen


def against_oracle(console: Console, n: int, seed: int) -> None:
    world = generate(BarcelonaParams(n=n), seed=seed)
    rng = np.random.default_rng(seed)
    inputs = check_quality(world.inputs, QualityParams()).inputs
    known: dict[str, Any] = {"schema": inputs.schema, "as_of": inputs.as_of}
    past = {"orders": inputs.orders, "touches": inputs.touches, "history": inputs.history}
    predictions = predict(inputs.accounts, PredictParams(), rng=rng, **past, **known)
    anomalies = detect_anomalies(inputs.accounts, orders=inputs.orders, rng=rng, **known)
    segments = segment(inputs.accounts, predictions.frame, schema=inputs.schema)
    actions = choose_actions(
        inputs.accounts, predictions.frame, segments.frame, EVERYBODY, anomalies=anomalies.frame, rng=rng,
        **past, **known,
    )  # fmt: skip
    catalogue = EVERYBODY.catalogue
    truth = true_values(inputs, world.truth, catalogue)
    churn = predictions.frame["churn_probability"].to_numpy()
    names = [(action.name, channel.name) for action, channel in catalogue.options]
    log = read_touches(inputs, catalogue)
    estimated = actions.options.drop("account_id").fill_null(-np.inf).to_numpy()
    permitted = np.isfinite(estimated)

    table = Table(
        title=f"what a plan earns, {inputs.accounts.height:,} accounts, {log.touches.height:,} touches"
    )
    for column in ("budget", "plan", "accounts", "cost EUR", "true value EUR", "of the oracle"):
        table.add_column(column, justify="left" if column in {"budget", "plan"} else "right")
    full = float(truth.cost_eur[actions.choice.option[actions.choice.option != NONE]].sum())
    unlimited = best(truth.value_eur, truth.permitted)
    for told, budget in (("none", None), ("what the plan spends", full), ("a quarter of that", full / 4)):
        limit = Budget(max_cost_eur=budget)
        oracle = unlimited if budget is None else optimise(truth.value_eur, truth, limit, truth.permitted)
        ours = (
            actions.choice.option if budget in {None, full} else optimise(estimated, truth, limit, permitted)
        )
        money = np.inf if budget is None else budget
        call = np.where(permitted[:, names.index(("retention_call", "outbound_cc"))],
                        names.index(("retention_call", "outbound_cc")), NONE)  # fmt: skip
        anything = np.where(
            permitted.any(axis=1), np.where(permitted, estimated, -np.inf).argmax(axis=1), NONE
        )
        plans = [
            ("oracle", oracle),
            ("Dealwright", ours),
            ("same options, ordered by churn", by_churn(churn, anything, truth.cost_eur, money)),
            ("retention call, ordered by churn", by_churn(churn, call, truth.cost_eur, money)),
        ]
        for name, option in plans:
            served = option[option != NONE]
            table.add_row(
                told, name, f"{served.size:,}", f"{truth.cost_eur[served].sum():,.0f}",
                f"{truth.earned(option):,.0f}", f"{truth.earned(option) / truth.earned(oracle):.1%}",
            )  # fmt: skip
    console.print(table)
    _effects(console, actions)
    _anomalies(console, anomalies.frame, world.truth)


def optimise(
    value: NDArray[Any], truth: Truth, budget: Budget, permitted: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Choose within a budget by the package's own arbitration."""
    n = value.shape[0]
    masked = np.where(permitted, value, -np.inf).astype(np.float32)
    randomisation = Randomisation(
        np.zeros(n, dtype=bool), np.ones(n), np.zeros(n), 0.0, 0.0, np.ones(value.shape[1], dtype=bool)
    )
    options = np.arange(truth.cost_eur.size)
    offers = OptionValues(masked, truth.cost_eur, np.ones(options.size), options)
    return choose(offers, randomisation, budget).option


def _effects(console: Console, actions: Actions) -> None:
    table = Table(
        title="effects learned: mean increment, its error; loss less that of one effect for all (1e-4)"
    )
    for column in ("action", "touches", "increment", "error", "S", "T", "X", "doubly robust", "blend"):
        table.add_column(column, justify="right" if column not in {"action", "blend"} else "left")
    for name, found in actions.effects.evidence.items():
        losses = [
            f"{found.losses[k] * 1e4:+.1f}" if found.losses else "" for k in ("S", "T", "X", "doubly robust")
        ]
        table.add_row(
            name, f"{found.treated:,}", f"{found.mean_increment:+.4f}", f"{found.error:.4f}", *losses,
            found.description or found.source,
        )  # fmt: skip
    console.print(table)


def _anomalies(console: Console, frame: pl.DataFrame, truth: pl.DataFrame) -> None:
    told = truth.select("account_id", "anomaly", left=pl.col("alive_probability") < 0.05)
    joined = frame.join(told, on="account_id", how="left")
    top = joined.sort("anomaly_score", descending=True).head(joined.height // 50)
    table = Table(title="planted anomalies among the top 2 % of scores")
    for column in ("kind", "planted", "found", "recall"):
        table.add_column(column, justify="right" if column != "kind" else "left")
    for kind in ("spike", "silent", "odd"):
        planted, found = (int((part["anomaly"] == kind).sum()) for part in (joined, top))
        table.add_row(kind, f"{planted:,}", f"{found:,}", f"{found / max(planted, 1):.1%}")
    console.print(table)
    real = top.filter((pl.col("anomaly") != "none") | pl.col("left"))
    console.print(
        f"of the {top.height:,} at the top, {real.height / top.height:.1%} are planted or have truly left"
    )


MAILING = parse_catalogue(
    """
[channels.ecom_assisted]
cost_eur = 0.60
[actions.mens_mail]
channels = ["ecom_assisted"]
lever = 0.05
prior_response = 0.2
prior_uplift = 0.05
[actions.womens_mail]
channels = ["ecom_assisted"]
lever = 0.05
prior_response = 0.2
prior_uplift = 0.05
""",
    "mailing.toml",
)


def mailing(console: Console, n: int, seed: int) -> None:
    """Run a randomised mailing with two mails and a third left alone.

    Learn on one half, judge on the other.
    """
    rng = np.random.default_rng(seed)
    recency, spend = rng.exponential(120, n), rng.gamma(1.5, 160, n)
    womens, mens = rng.random(n) < 0.55, rng.random(n) < 0.5
    channel = rng.choice(["web", "phone", "both"], n, p=[0.44, 0.44, 0.12])
    arm = rng.integers(0, 3, n)
    base = -1.9 - 0.006 * (recency - 120) + 0.25 * (channel == "both") + 0.0008 * spend
    logit = np.column_stack([base, base - 0.15 + 0.55 * mens, base - 0.35 + 1.0 * womens])
    probability = 1 / (1 + np.exp(-logit))
    response = rng.random(n) < probability[np.arange(n), arm]
    ids = np.array([f"c{k}" for k in range(n)])
    as_of = datetime(2026, 6, 30)
    accounts = pl.DataFrame(
        {
            "account_id": ids, "recency_days": recency, "spend_eur": spend, "womens": womens.astype(float),
            "mens": mens.astype(float), "purchase_channel": channel,
        }
    )  # fmt: skip
    names = ("recency_days", "spend_eur", "womens", "mens")
    schema = AccountSchema(
        numeric=names, categorical={"purchase_channel": None},
        known_from=dict.fromkeys((*names, "purchase_channel"), "always"),
    )  # fmt: skip
    touches = pl.DataFrame(
        {
            "account_id": ids, "touched_at": [as_of - timedelta(days=30)] * n,
            "channel": [None if k == 0 else "ecom_assisted" for k in arm],
            "action": np.array(["nothing", "mens_mail", "womens_mail"])[arm],
            "response": response, "propensity": np.full(n, 1 / 3),
        },
        schema_overrides={"touched_at": TIMESTAMP, "channel": pl.String},
    )  # fmt: skip
    inputs = PlanInputs(accounts, schema, as_of, touches=touches)
    learn, judge = np.arange(n) % 2 == 0, np.arange(n) % 2 == 1
    halves = replace(inputs, touches=touches.filter(pl.Series(learn)))
    reader = PointInTimeReader(halves, read_touches(halves, MAILING).contacts.clear())
    model = learn_effects(halves, MAILING, reader, EffectParams(), rng=rng)
    found = apply_effects(model, reader, accounts.height)
    worth, cost = 0.05 * spend, 0.60
    gain = found.increment * worth[:, None] - cost
    chosen = np.where(gain.max(axis=1) > 0, gain.argmax(axis=1) + 1, 0)
    predicted_response = np.column_stack([found.untouched, found.untouched[:, None] + found.increment])
    policies = {
        "Dealwright": chosen,
        "oracle": np.column_stack(
            [np.zeros(n), (probability[:, 1:] - probability[:, :1]) * worth[:, None] - cost]
        ).argmax(axis=1),
        "men's mail to all": np.full(n, 1),
        "women's mail to all": np.full(n, 2),
        "nothing": np.zeros(n, dtype=np.int64),
    }
    # those least likely to come back by themselves first, as many as Dealwright writes to, the mail that is
    # better on average
    rank = np.argsort(np.argsort(found.untouched))
    better = 1 + int(found.increment.mean(axis=0).argmax())
    policies["lowest own response first"] = np.where(rank < (chosen > 0).sum(), better, 0)
    outcome = response * worth - cost * (arm > 0)
    expected = probability * worth[:, None] - cost * (np.arange(3) > 0)
    predicted = predicted_response * worth[:, None] - cost * (np.arange(3) > 0)
    table = Table(
        title=f"randomised mailing, {n:,} customers: learned on one half, judged on the other (EUR each)"
    )
    for column in ("policy", "mails", "doubly robust", "95 % interval", "truth"):
        table.add_column(column, justify="right" if column != "policy" else "left")
    for name, everywhere in policies.items():
        policy = everywhere.astype(np.int64)[judge]
        rows = np.arange(policy.size)
        found = estimate_policy_value(
            outcome[judge], np.full(policy.size, 1 / 3), (arm[judge] == policy).astype(np.float64),
            predicted_logged=predicted[judge][rows, arm[judge]],
            predicted_policy=predicted[judge][rows, policy],
        ).doubly_robust  # fmt: skip
        assert found is not None
        true = expected[judge][rows, policy].mean()
        interval = f"{found.low:.3f} to {found.high:.3f}"
        table.add_row(name, f"{(policy > 0).sum():,}", f"{found.value:.3f}", interval, f"{true:.3f}")
    console.print(table)


def scale(console: Console, sizes: list[int]) -> None:
    table = Table(title="seconds and memory of the three stages")
    for column in (
        "accounts",
        "orders",
        "touches",
        "anomalies",
        "segment",
        "action",
        "sum",
        "CPU s",
        "peak GB",
        "µs/account",
    ):
        table.add_column(column, justify="right")
    for size in sizes:
        # a process of its own, so that peak memory is that of this size
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(size)], check=True, capture_output=True, text=True
        )
        table.add_row(*done.stdout.split())
    console.print(table)


def one_size(n: int) -> str:
    """Measure one size; predictions are the truth with noise, so that only these stages are timed."""
    world = generate(BarcelonaParams(n=n), seed=1)
    rng = np.random.default_rng(1)
    predictions = world.truth.select(
        "account_id", "churn_probability", predicted_value_eur=pl.col("future_value_eur")
    )
    inputs = world.inputs
    known: dict[str, Any] = {"schema": inputs.schema, "as_of": inputs.as_of}
    past = {"orders": inputs.orders, "touches": inputs.touches, "history": inputs.history}
    assert inputs.orders is not None
    assert inputs.touches is not None
    started, cpu = time.perf_counter(), time.process_time()
    anomalies = detect_anomalies(inputs.accounts, orders=inputs.orders, rng=rng, **known)
    first = time.perf_counter()
    segments = segment(inputs.accounts, predictions, schema=inputs.schema)
    second = time.perf_counter()
    choose_actions(
        inputs.accounts, predictions, segments.frame, ActionParams(), anomalies=anomalies.frame, rng=rng,
        **past, **known,
    )  # fmt: skip
    third, spent = time.perf_counter(), time.process_time() - cpu
    seconds = (first - started, second - first, third - second, third - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return " ".join(
        [f"{n:,}", f"{inputs.orders.height:,}", f"{inputs.touches.height:,}",
         *(f"{value:.1f}" for value in seconds), f"{spent:.1f}", f"{peak:.2f}",
         f"{seconds[-1] / n * 1e6:.0f}"]
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--scale", type=int, nargs="+")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        sys.stdout.write(one_size(options.one))
        return
    console = Console(width=150)
    console.print(
        f"Python {platform.python_version()}, Polars {pl.__version__}, {os.cpu_count()} cores, seed "
        f"{options.seed}"
    )
    if options.scale:
        scale(console, options.scale)
        return
    against_oracle(console, options.n, options.seed)
    mailing(console, 64_000, options.seed)


if __name__ == "__main__":
    main()
