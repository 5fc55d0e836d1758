"""What learning is worth: agencies with known agent effects, from 450 to 100,000 assignments.

Per world and size, over several seeds: how often the verdict is `agents differ`; out-of-time log loss and
AUC of base rate, lead-only and lead + agent model; calibration error of the model on new leads against
drawn outcomes and of the naive rate per agent; how often the true probability lies within the 90 % interval;
how much of the gap between random and the best possible assignment each policy closes when agents have ten
places a day; seconds to train. And how many of 200 agencies whose agents are alike raise a false alarm.

    python benchmarks/learn.py [--sizes 450 2000] [--seeds 10] [--rows 1000000] [--alarms 200]
"""

from __future__ import annotations

import argparse
import platform
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import polars as pl

from dealwright.learn import LearnParams, build_outcomes, count_statistics, score, train
from dealwright.learn.asof import AsOfCounter
from dealwright.learn.homogeneity import compare_agents
from dealwright.learn.outcomes import fill_unknown, tabulate_outcomes, value_shares
from dealwright.simulation.assigning import assign_batches_optimally, assign_leads
from dealwright.simulation.astra import AstraParams, generate_astra
from dealwright.stats.metrics import calibration_error

SEEDS = {450: 20, 2_000: 20, 20_000: 5, 100_000: 2}
POLICIES = ("workload", "naive", "value k=1", "value k=20", "value k=inf", "oracle k=20")
DAYS = 40


@dataclass(frozen=True)
class Row:
    """Measurements of one world."""

    differ: float
    log_loss: tuple[float, float, float]
    auc: float
    ece_model: float
    ece_chosen: float
    ece_naive: float
    covered: float
    closed: dict[str, float]
    seconds: float


def measure_world(effects: str, n: int, seed: int, utilisation: float) -> Row:
    world = generate_astra(AstraParams(n_assignments=n, effects=effects, seed=seed))  # type: ignore[arg-type]
    past = build_outcomes(world.history())
    result = train(past.frame, past.traits, world.truth.dimensions, LearnParams(permutations=499), seed=seed)
    rng = np.random.default_rng([seed, 1])
    capacity = np.full(world.truth.n_agents, 10)
    per_day = int(utilisation * capacity.sum())
    leads = world.leads(DAYS * per_day, rng)
    ids = past.traits["agent_id"].to_list()
    scores = score(result.model, count_statistics(past.frame, result.model, ids), past.traits, leads.frame)
    truth = world.truth.win_probability(leads.codes)
    value = truth * world.truth.expected_revenue(leads.codes)

    known = past.frame.filter(pl.col("won").is_not_null())
    rate = pl.DataFrame({"agent_id": ids}).join(
        known.group_by("agent_id").agg(pl.col("won").mean()), on="agent_id", how="left", maintain_order="left"
    )["won"]
    naive = rate.fill_null(known["won"].mean()).to_numpy()

    rows = np.arange(len(leads))
    agents = rng.integers(0, world.truth.n_agents, len(leads))
    won = world.truth.draw_wins(leads, agents, rng).astype(np.float64)
    chosen = scores.win_probability.argmax(axis=1)
    won_chosen = world.truth.draw_wins(leads, chosen, rng).astype(np.float64)

    day = rows // per_day
    arrival_h = 24.0 * day + rows % per_day * 8.0 / per_day
    duration_h = 24.0 * (day + 1) - arrival_h - 0.01

    def earn(rule: str, wanted: np.ndarray | None = None, sharpness: float = 1.0) -> float:
        run = assign_leads(
            rule,  # type: ignore[arg-type]
            capacity,
            arrival_h,
            duration_h,
            rng=np.random.default_rng([seed, 2]),
            score=wanted,
            sharpness=sharpness,
        )
        return run.total(value)

    random = earn("random")
    gap = assign_batches_optimally(value, capacity, day).total(value) - random
    worth = {
        "workload": earn("workload"),
        "naive": earn("score", np.tile(naive, (len(leads), 1)), 20.0),
        "value k=1": earn("score", scores.value, 1.0),
        "value k=20": earn("score", scores.value, 20.0),
        "value k=inf": earn("score", scores.value, np.inf),
        "oracle k=20": earn("score", value, 20.0),
    }
    metrics = result.evidence.metrics
    losses = tuple(metrics[name].log_loss.value for name in ("base_rate", "lead_only", "lead_agent"))
    return Row(
        differ=float(result.evidence.agents_differ),
        log_loss=(losses[0], losses[1], losses[2]),
        auc=metrics["lead_agent"].auc.value,
        ece_model=calibration_error(won, scores.win_probability[rows, agents]),
        ece_chosen=calibration_error(won_chosen, scores.win_probability[rows, chosen]),
        ece_naive=calibration_error(won, naive[agents]),
        covered=float(((scores.low <= truth) & (truth <= scores.high)).mean()),
        # where agents are alike the gap is 0 up to rounding: nothing to close
        closed={
            name: (v - random) / gap if gap > 1e-6 * abs(random) else np.nan for name, v in worth.items()
        },
        seconds=result.seconds,
    )


def print_worlds(sizes: list[int], seeds: int | None, utilisation: float) -> None:
    print(f"\n30 agents with 10 places a day, {utilisation:.0%} of all places used; means over seeds")
    print(
        f"{'effects':8}{'outcomes':>9}{'seeds':>6}{'differ':>8}"
        f"{'log loss base / lead / lead+agent':>36}{'AUC':>7}"
        f"{'ECE':>7}{'chosen':>8}{'naive':>7}{'covered':>9}{'seconds':>9}"
        f"  gap to best closed: {', '.join(POLICIES)}"
    )
    for effects in ("none", "weak", "strong"):
        for n in sizes:
            count = seeds or SEEDS.get(n, 3)
            rows = [measure_world(effects, n, seed, utilisation) for seed in range(1, count + 1)]
            losses = np.mean([row.log_loss for row in rows], axis=0)
            closed = [np.mean([row.closed[name] for row in rows]) for name in POLICIES]
            print(
                f"{effects:8}{n:9,}{count:6}{np.mean([r.differ for r in rows]):8.0%}"
                f"{losses[0]:16.4f}{losses[1]:10.4f}{losses[2]:10.4f}{np.mean([r.auc for r in rows]):7.3f}"
                f"{np.mean([r.ece_model for r in rows]):7.3f}{np.mean([r.ece_chosen for r in rows]):8.3f}"
                f"{np.mean([r.ece_naive for r in rows]):7.3f}{np.mean([r.covered for r in rows]):9.2f}"
                f"{np.median([r.seconds for r in rows]):9.2f}  "
                + "  ".join("    -" if np.isnan(c) else f"{c:5.2f}" for c in closed),
                flush=True,
            )


def print_false_alarms(worlds: int) -> None:
    """Count verdicts of a difference where there is none, though agents get different leads."""
    print(f"\n{worlds} agencies whose agents are alike; at most one in twenty may raise an alarm")
    for n, skew in ((450, 1.0), (2_000, 2.0)):
        alarms = naive = 0
        for seed in range(worlds):
            world = generate_astra(
                AstraParams(n_assignments=n, effects="none", seed=seed, case_mix_skew=skew)
            )
            past = world.history()
            table = tabulate_outcomes(build_outcomes(past).frame, past.dimensions)
            found = compare_agents(table, 119, np.random.default_rng(seed))
            alarms += found.p_value <= LearnParams().alpha
            naive += found.plain_p_value <= 0.05
        print(f"{n:9,} outcomes, alarms: {alarms}; of a test blind to the leads: {naive}", flush=True)


def print_speed(n: int, agents: int) -> None:
    begun = perf_counter()
    world = generate_astra(AstraParams(n_agents=agents, n_assignments=n, effects="strong", seed=1))
    past = world.history()
    generated = perf_counter()
    outcomes = build_outcomes(past)
    table = tabulate_outcomes(outcomes.frame, past.dimensions)
    built = perf_counter()
    shares = value_shares(table)
    codes = fill_unknown(table, shares, np.random.default_rng(0))
    AsOfCounter(table, codes).count([np.ones(len(table)), table.won], shares, codes)
    counted = perf_counter()
    result = train(outcomes.frame, outcomes.traits, past.dimensions, LearnParams(), seed=1)
    print(
        f"\n{n:,} assignments of {agents:,} agents, seconds: generate {generated - begun:.1f}, outcomes "
        f"{built - generated:.1f}, as-of features {counted - built:.1f}, train {result.seconds:.1f} "
        f"({result.evidence.permutations} permutations)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--alarms", type=int, default=200)
    parser.add_argument("--utilisation", type=float, nargs="+", default=[0.25, 0.75])
    arguments = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, Python {platform.python_version()}, NumPy {np.__version__}")
    for utilisation in arguments.utilisation:
        print_worlds(arguments.sizes, arguments.seeds, utilisation)
    if arguments.alarms:
        print_false_alarms(arguments.alarms)
    if arguments.rows:
        print_speed(arguments.rows, 1000)


if __name__ == "__main__":
    main()
