"""The whole run: reproducible byte for byte, complete, and never a stack trace for what a user may bring."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dealwright.cli.main import main
from dealwright.errors import GateError, InputError
from dealwright.plan.params import PlanParams
from dealwright.plan.pipeline import run_plan
from dealwright.plan.prediction import PredictParams
from dealwright.plan.result import Plan
from dealwright.plan.stages import TABLES
from dealwright.plan.trace import STAGES, hash_frame
from dealwright.report.cards import card_frame
from dealwright.report.headlines import sentences
from dealwright.report.tables import by_action, by_segment
from dealwright.runs.output import RUN_FILES, RunDirectory, write_plan, write_report
from dealwright.runs.reading import read_run
from dealwright.runs.task_file import read_tasks
from dealwright.schemas import (
    ACCOUNT_RESULT_COLUMNS,
    ACTION_COLUMNS,
    ANOMALY_COLUMNS,
    PREDICTION_COLUMNS,
    SEGMENT_COLUMNS,
    AccountSchema,
    PlanInputs,
)
from dealwright.simulation.barcelona import BarcelonaParams, BarcelonaWorld, generate

NOW = datetime(2026, 6, 30)
QUICK = PlanParams(predict=PredictParams(folds=3, reasons=1))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def world() -> BarcelonaWorld:
    return generate(BarcelonaParams(n=600), seed=4)


@pytest.fixture(scope="module")
def plan(world: BarcelonaWorld) -> Plan:
    return run_plan(world.inputs, QUICK, seed=9)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the command line once; its parameters are quick ones."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "quick.toml").write_text("[predict]\nfolds = 3\nreasons = 1\n")
    with pytest.raises(SystemExit) as left:
        main(["plan", "--world", "barcelona", "--n", "400", "--params", str(folder / "quick.toml"),
              "--seed", "3", "--out", str(folder / "first")])  # fmt: skip
    assert left.value.code == 0
    return folder / "first"


def test_every_account_gets_every_result_in_the_order_it_came(plan: Plan) -> None:
    assert plan.accounts["account_id"].equals(plan.inputs.accounts["account_id"])
    for columns in (PREDICTION_COLUMNS, ANOMALY_COLUMNS, SEGMENT_COLUMNS, ACTION_COLUMNS):
        assert {name: plan.accounts.schema[name] for name in columns} == columns
    assert dict(list(plan.accounts.schema.items())[:13]) == dict(ACCOUNT_RESULT_COLUMNS)
    assert plan.accounts["churn_probability"].is_between(0, 1).all()
    assert (
        plan.accounts.select("predicted_value_eur", "nba_score", "expected_value_eur")
        .null_count()
        .sum_horizontal()[0]
        == 0
    )


def test_headline_key_figures_and_tables_add_up(plan: Plan) -> None:
    figure, accounts, tables = plan.kpis.summary(), plan.accounts, plan.tables
    cents = pytest.approx
    assert figure["expected_value_eur"] == cents(accounts["expected_value_eur"].sum(), abs=0.005)
    split = figure["contacts_value_eur"] + figure["waiting_value_eur"]
    assert figure["expected_value_eur"] == cents(split, abs=0.005)
    actions, segments = by_action(accounts), by_segment(accounts)
    for name, column in (
        ("expected_value_eur", "gain_eur"), ("contacts_value_eur", "scheduled_eur"),
        ("waiting_value_eur", "waiting_eur"), ("contacts_cost_eur", "cost_eur"),
        ("contacts_scheduled", "scheduled"), ("backlog", "waiting"),
    ):  # fmt: skip
        assert figure[name] == cents(actions[column].sum(), abs=0.005)
    assert figure["expected_value_eur"] == cents(segments["gain_eur"].sum(), abs=0.005)
    acted = actions.filter(pl.col("action") != "nothing")["accounts"].sum()
    assert figure["accounts_with_action"] == acted
    assert figure["contacts_scheduled"] == tables["channels"]["scheduled"].sum()
    assert figure["backlog"] == tables["waitlist"].height == accounts["wait_rank"].count()
    assert figure["waiting_value_eur"] == cents(tables["waitlist"]["value_eur"].sum(), abs=0.005)
    in_the_field = accounts.filter(channel="field")
    assert figure["visits"] == tables["visits"].height == tables["rep_days"]["stops"].sum()
    for column in (
        in_the_field["expected_value_eur"],
        tables["visits"]["value_eur"],
        tables["rep_days"]["value_eur"],
    ):
        assert figure["visit_value_eur"] == cents(column.sum(), abs=0.005)
    catalogue = plan.params.action.catalogue
    cost = sum(
        catalogue.action(action).cost_eur + catalogue.channel(channel).cost_eur
        for action, channel in accounts.filter(pl.col("channel").is_not_null())
        .select("action", "channel")
        .iter_rows()
    )
    assert figure["contacts_cost_eur"] == cents(cost, abs=0.005)
    first, second = list(sentences(figure, tables["channels"].to_dicts()))[:2]
    assert f"€{figure['expected_value_eur']:,.0f} after their costs" in first
    assert f"€{figure['contacts_value_eur']:,.0f} comes from the contacts scheduled" in second
    assert figure["exploration_cost_eur"] == cents(accounts["exploration_cost_eur"].sum(), abs=0.005)
    assert (
        0
        < figure["exploration_cost_eur"]
        <= 0.02 * (figure["expected_value_eur"] + figure["exploration_cost_eur"])
    )


def test_nothing_is_known_without_labels_and_orders(world: BarcelonaWorld) -> None:
    accounts = world.inputs.accounts.head(60)
    schema = replace(world.inputs.schema, has_churn_label=False, has_value_label=False)
    bare = replace(world.inputs, accounts=accounts, schema=schema, orders=None, touches=None, history=None)
    plan = run_plan(bare, QUICK, seed=1, force=True)
    for name in ("churn_probability", "predicted_value_eur", "segment"):
        assert plan.accounts[name].null_count() == 60
    assert plan.kpis.summary()["predicted_value_eur"] is None
    assert plan.kpis.summary()["mean_churn_probability"] is None
    others = plan.accounts.filter(~pl.col("control"))
    assert others["excluded"].list.first().str.contains("is not known").all()


def test_the_trace_counts_and_hashes_every_stage(plan: Plan, world: BarcelonaWorld) -> None:
    assert tuple(dict.fromkeys(record.stage for record in plan.trace)) == STAGES
    first = plan.trace[0]
    assert (first.rows_in, first.rows_out) == (world.inputs.accounts.height, plan.accounts.height)
    assert len({record.input_hash for record in plan.trace}) == len(plan.trace)
    assert plan.trace[3].output_hash == hash_frame(plan.segments.frame)
    for record in plan.trace:
        assert json.loads(record.to_json())["summary"] == json.loads(json.dumps(record.summary, default=str))


def test_the_same_seed_gives_the_same_plan_and_another_draws_other_accounts(
    world: BarcelonaWorld, plan: Plan
) -> None:
    again = run_plan(world.inputs, QUICK, seed=9)
    assert again.accounts.equals(plan.accounts)
    assert [record.output_hash for record in again.trace] == [record.output_hash for record in plan.trace]
    assert again.kpis == plan.kpis


def test_a_run_directory_is_reproduced_byte_for_byte_from_its_own_parameters(first_run: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["plan", "--params", str(first_run / "params.toml"), "--out", str(first_run.parent / "second")])
    assert left.value.code == 0
    first, second = files(first_run), files(first_run.parent / "second")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == ["trace.jsonl"]
    timed = [[json.loads(line) for line in run["trace.jsonl"].splitlines()] for run in (first, second)]
    for record, other in zip(*timed, strict=True):
        assert {**record, "seconds": 0} == {**other, "seconds": 0}


def test_the_run_directory_is_complete_and_the_truth_is_apart(first_run: Path) -> None:
    assert {path.name for path in first_run.iterdir()} == RUN_FILES
    accounts = pl.read_parquet(first_run / "accounts.parquet")
    truth = pl.read_parquet(first_run / "world" / "truth.parquet")
    assert truth.height == 400
    for name in ("accounts", "orders", "touches", "history"):
        given = pl.read_parquet(first_run / "world" / f"{name}.parquet")
        assert not (set(truth.columns) - {"account_id"}) & set(given.columns)
    rejected = pl.read_csv(first_run / "rejected" / "accounts.csv", infer_schema=False)
    assert accounts.height + rejected.height == 400
    assert rejected["reason"].str.contains(r"^line \d+, \w+: .+ \(.+\)$").all()
    kpis = {item["name"]: item for item in json.loads((first_run / "kpis.json").read_text())["kpis"]}
    assert kpis["churn_auc"]["status"] in ("met", "missed")
    families = {
        family.name: family
        for family in text_string_to_metric_families((first_run / "metrics.prom").read_text())
    }
    figures = {sample.labels["kpi"]: sample.value for sample in families["dealwright_plan_kpi"].samples}
    assert figures["accounts"] == accounts.height
    assert not any("seconds" in name for name in families)  # wall clock is in trace.jsonl only


def test_every_reason_of_a_run_is_said_in_words(first_run: Path) -> None:
    cards = card_frame(read_run(first_run))
    said = {
        text
        for name in ("why", "obstacles", "value_why", "churn_why", "odd")
        for text in cards[name].explode().drop_nulls().to_list()
    } | {option["why"] for option in cards["options"].explode().drop_nulls().to_list()}
    assert len(said) > 50
    # a form that the report does not know keeps the stage's own names and amounts
    assert {text for text in said if re.search(r"\bEUR\b|[a-z]_[a-z]|odds", text)} == set()
    assert cards["churn_low"].drop_nulls().len() == cards["churn_probability"].drop_nulls().len() > 0
    known = cards.drop_nulls("churn_low")
    assert (known["churn_low"] <= known["churn_high"]).all()


def test_the_worlds_own_files_and_declaration_give_the_same_plan(first_run: Path) -> None:
    given = first_run / "world"
    arguments = [
        f"--{name}={given / name}.parquet" for name in ("accounts", "orders", "touches", "reps", "history")
    ]
    with pytest.raises(SystemExit) as left:
        main(["plan", *arguments, f"--schema={given / 'schema.toml'}", "--as-of", "2026-06-30",
              "--seed", "3", "--params", str(first_run.parent / "quick.toml"),
              "--out", str(first_run.parent / "files")])  # fmt: skip
    assert left.value.code == 0
    again = pl.read_parquet(first_run.parent / "files" / "accounts.parquet")
    assert again.equals(pl.read_parquet(first_run / "accounts.parquet"))


def test_drift_against_the_last_run_is_shown(world: BarcelonaWorld, plan: Plan) -> None:
    moved = replace(world.inputs, accounts=world.inputs.accounts.with_columns(pl.col("employees") * 20))
    drift = run_plan(moved, QUICK, seed=9, previous=plan.as_previous()).drift
    assert drift.frame.row(0, named=True)["column"] == "employees"
    assert drift.frame["level"][0] == "large"


def test_the_last_runs_territories_and_waitlist_are_taken_over(world: BarcelonaWorld, plan: Plan) -> None:
    last = plan.as_previous()
    assert last.territories is not None
    assert last.waitlist is not None
    told: list[tuple[str, int, int]] = []
    again = run_plan(world.inputs, QUICK, seed=9, previous=last, progress=lambda *said: told.append(said))
    assert again.accounts["territory"].equals(plan.accounts["territory"])
    assert told[0] == ("quality", 0, len(STAGES))
    assert told[-1] == ("", len(STAGES), len(STAGES))


def test_half_a_run_is_never_left_behind_and_foreign_files_are_safe(plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with RunDirectory(out) as folder:
        write_plan(plan, folder, {"seed": 9})
    before = files(out)
    with pytest.raises(RuntimeError), RunDirectory(out) as folder:  # noqa: PT012  the failure is in the middle
        (folder / "accounts.parquet").write_text("half")
        raise RuntimeError
    assert files(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    (out / "thesis.docx").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.docx"):
        RunDirectory(out)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        RunDirectory(tmp_path / "file")


def test_the_gate_stops_the_command_with_code_1_and_shows_the_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"a{k % 3},{k}\n" for k in range(9))
    (tmp_path / "a.csv").write_text("account_id,spend\n" + rows)
    with pytest.raises(SystemExit) as left:
        main(["plan", "--accounts", str(tmp_path / "a.csv"), "--out", str(tmp_path / "run")])
    assert left.value.code == GateError.exit_code == 1
    said = capsys.readouterr().err
    assert "66.7% of accounts (account_id duplicate: line 2 has it already in 6 rows" in said
    assert "--force" in said
    assert pl.read_csv(tmp_path / "run" / "rejected" / "a.csv").height == 6


def test_a_run_with_nothing_to_do_leaves_every_table_with_its_columns_and_every_folder_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("account_id,spend\n" + "".join(f"a{k},{k}\n" for k in range(9)))
    (tmp_path / "quick.toml").write_text("[predict]\nfolds = 3\n[schedule]\nforecast_days = 0\n")

    def plan(out: str, *more: str) -> Path:
        options = ["--accounts", str(tmp_path / "a.csv"), "--params", str(tmp_path / "quick.toml")]
        with pytest.raises(SystemExit) as left:
            main(["plan", *options, *more, "--out", str(tmp_path / out)])
        assert left.value.code == 0, capsys.readouterr().err
        return tmp_path / out

    run = plan("first")
    for name, (_, _, columns) in TABLES.items():
        assert dict(pl.read_parquet(run / f"{name}.parquet").schema) == dict(columns), name
    filled = [name for name in TABLES if not pl.read_parquet(run / f"{name}.parquet").is_empty()]
    assert filled == ["channels", "backlog"]
    for name in ("briefs", "calendars", "maps", "rejected"):
        assert list((run / name).iterdir()) == []
    accounts = pl.read_parquet(run / "accounts.parquet")
    assert {name: accounts.schema[name] for name in ACCOUNT_RESULT_COLUMNS} == ACCOUNT_RESULT_COLUMNS
    assert accounts.select("territory", "rep_id", "channel").null_count().row(0) == (9, 9, 9)
    assert read_tasks(run).frame.is_empty()
    before = (run / "report.html").read_text()
    assert "No row was rejected." in before
    assert "No shifts were planned" in before
    assert write_report(run).read_text() == before
    again = plan("second", "--previous", str(run))
    assert pl.read_parquet(again / "accounts.parquet").equals(accounts)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give --accounts FILE or --orders FILE"),
        (["--world", "atlantis"], "'atlantis'"),
        (["--world", "barcelona", "--n", "0"], "at least one account"),
        (["--world", "barcelona", "--accounts", "a.csv"], "either --accounts or --world"),
        (["--accounts", "nowhere.csv"], "nowhere.csv"),
        (["--world", "barcelona", "--params", "nowhere.toml"], "nowhere.toml: no such file"),
        (["--world", "barcelona", "--n", "5", "--previous", "nowhere"], "name the folder of a run"),
    ],
)
def test_wrong_usage_says_what_to_do_with_code_2(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["plan", *arguments, "--out", str(tmp_path / "run")])
    assert left.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def plain(n: int, **columns: object) -> PlanInputs:
    rng = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            "account_id": [f"a{k}" for k in range(n)],
            "spend": rng.gamma(2, 50, n),
            "tier": rng.choice(["x", "y"], n).tolist(),
        }
    )
    labels: Mapping[str, object] = columns
    frame = frame.with_columns(pl.Series(name, values) for name, values in labels.items())
    schema = AccountSchema(
        numeric=("spend",), categorical={"tier": None}, has_churn_label="churned" in columns,
        has_value_label="future_value_eur" in columns,
    )  # fmt: skip
    return PlanInputs(frame, schema, NOW)


def odd_inputs() -> dict[str, PlanInputs]:
    """What users really bring, and no stage may fall over."""
    few_orders = pl.DataFrame(
        {"account_id": ["a0", "a1"], "ordered_at": [NOW - timedelta(days=9)] * 2, "amount_eur": [5.0, 0.0]}
    )
    touches = pl.DataFrame(
        {"account_id": ["a0"], "touched_at": [NOW - timedelta(days=40)], "channel": ["outbound_cc"],
         "action": ["upsell"], "response": [True]}
    )  # fmt: skip
    bare = plain(40)
    return {
        "one row": plain(1),
        "two rows": plain(2),
        "no features, no orders": replace(bare, schema=AccountSchema()),
        "no labels, no orders": bare,
        "one class only": plain(60, churned=[False] * 60),
        "one of the other class": plain(60, churned=[True] + [False] * 59),
        "labels for some": plain(60, churned=[True, False, None] * 20),
        "value all zero": plain(60, future_value_eur=[0.0] * 60),
        "constant features": plain(60, spend=[1.0] * 60, tier=["x"] * 60, churned=[True, False] * 30),
        "empty features": replace(
            bare,
            accounts=bare.accounts.with_columns(
                pl.lit(None, pl.Float64).alias("spend"), pl.lit(None, pl.String).alias("tier")
            ),
        ),
        "two orders": replace(bare, orders=few_orders, touches=touches),
        "no order before the cut-off": replace(bare, orders=few_orders.clear()),
        "all orders long ago": replace(
            bare, orders=few_orders.with_columns(pl.col("ordered_at") - pl.duration(days=900))
        ),
    }


@pytest.mark.parametrize("case", list(odd_inputs()))
def test_odd_input_gives_a_plan_with_stated_fallbacks(case: str) -> None:
    given = odd_inputs()[case]
    plan = run_plan(given, QUICK, seed=1, force=True)
    accounts = plan.accounts
    assert accounts.height == given.accounts.height
    # what nobody could say is null, and said to be so
    assert accounts["churn_probability"].drop_nulls().is_between(0, 1).all()
    assert accounts["predicted_value_eur"].drop_nulls().is_finite().all()
    assert (accounts["predicted_value_eur"].drop_nulls() >= 0).all()
    assert accounts["segment"].is_null().equals(accounts["predicted_value_eur"].is_null())
    assert accounts.select("action", "nba_score").null_count().sum_horizontal()[0] == 0
    for target, column in (("churn", "churn_probability"), ("value", "predicted_value_eur")):
        fallback = str(plan.predictions.card[target]["choice"].get("fallback"))
        unknown = accounts.filter(pl.col(column).is_null())
        if target == "churn" and 0 < unknown.height < accounts.height:
            assert given.orders is not None
            assert set(unknown["account_id"]).isdisjoint(given.orders["account_id"])  # never ordered
        elif unknown.height:
            assert unknown.height == accounts.height
            assert plan.predictions.card[target]["rows"] == 0
            assert fallback != "None"
    said = plan.predictions.summary()
    for target in ("churn", "value"):
        assert said[f"{target}_model"]
    json.dumps(plan.predictions.card, default=str)
