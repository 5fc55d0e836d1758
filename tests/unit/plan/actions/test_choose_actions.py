"""The next best action: the score adds up, the rules hold, and every choice explains itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.actions import ActionParams, choose_actions
from dealwright.plan.actions.catalogue_file import default_catalogue, default_catalogue_text, parse_catalogue
from dealwright.plan.actions.score import COMPONENTS, ScoreParams, apply_score, contribution_column, fit_score
from dealwright.schemas import ACTION_COLUMNS, ORDER_COLUMNS, TIMESTAMP, AccountSchema

AS_OF = datetime(2026, 6, 30, 8, 0)  # a Tuesday
CATALOGUE = """
time_zone = "Europe/Madrid"
[fatigue]
caps = [{ contacts = 2, days = 7 }]
min_gap_days = 1
[exploration]
share = 0.2
[control]
share = 0.1
[channels.field]
cost_eur = 10.0
quiet_hours = ["19:00-09:00"]
[channels.outbound_cc]
cost_eur = 2.0
caps = [{ contacts = 1, days = 5 }]
[channels.inbound_cc]
cost_eur = 1.0
contact = false
consent = false
[actions.visit]
channels = ["field"]
lever = 0.5
requires = ["tier in ('gold', 'silver')"]
prior_response = 0.4
prior_uplift = 0.2
cooldown_days = 14
[actions.call]
channels = ["outbound_cc", "inbound_cc"]
lever = 0.3
prior_response = 0.3
prior_uplift = 0.1
suppress = { rejections = 2, days = 60 }
"""


def touch(account, days_ago, action="call", channel="outbound_cc", *, response=False, rejected=False):
    return {
        "account_id": account, "touched_at": AS_OF - timedelta(days=days_ago), "channel": channel,
        "action": action, "response": response, "rejected": rejected,
    }  # fmt: skip


def plan(n=8, touches=(), accounts=None, schema=None, catalogue=CATALOGUE, value=1000.0, **params):
    accounts = accounts if accounts is not None else pl.DataFrame(
        {
            "account_id": [f"a{k}" for k in range(n)],
            "tier": ["gold"] * n,
            "consent_field": [True] * n,
            "consent_outbound_cc": [True] * n,
        },
        schema={"account_id": pl.String, "tier": pl.String, "consent_field": pl.Boolean,
                "consent_outbound_cc": pl.Boolean},
    )  # fmt: skip
    schema = schema or AccountSchema(
        categorical={"tier": None}, consent=("field", "outbound_cc"), roles={"tier": "tier"}
    )
    frame = pl.DataFrame(
        list(touches),
        schema={"account_id": pl.String, "touched_at": TIMESTAMP, "channel": pl.String, "action": pl.String,
                "response": pl.Boolean, "rejected": pl.Boolean},
    )  # fmt: skip
    ids = accounts.select("account_id")
    predictions = ids.with_columns(churn_probability=pl.lit(0.3), predicted_value_eur=pl.lit(value))
    segments = ids.with_columns(
        value_bucket=pl.lit(2), potential_bucket=pl.lit(2), segment=pl.lit("Grow"),
        wallet_eur=pl.lit(10.0), potential_eur=pl.lit(5.0),
    )  # fmt: skip
    defaults = {"exploration_share": 0.0, "control_share": 0.0}
    settings_ = ActionParams(catalogue=parse_catalogue(catalogue, "mine.toml"), **{**defaults, **params})
    return choose_actions(
        accounts, predictions, segments, settings_, touches=frame if len(frame) else None, schema=schema,
        as_of=AS_OF,
    )  # fmt: skip


def row(result, account="a0"):
    return result.frame.filter(pl.col("account_id") == account).row(0, named=True)


def test_the_choice_is_worth_most_and_explains_itself():
    result = plan()
    assert {name: result.frame.schema[name] for name in ACTION_COLUMNS} == ACTION_COLUMNS
    found = row(result)
    assert (found["action"], found["channel"], found["runner_up"]) == ("visit", "field", "call")
    assert found["expected_value_eur"] == pytest.approx(0.2 * 1000 * 0.5 - 10)
    assert "effect: stated prior" in found["reasons"]
    assert found["excluded"] == ["call: 29 EUR by inbound_cc"]
    assert found["propensity"] == 1.0
    assert found["contact_from"] == datetime(2026, 6, 30, 9, 0)


def test_nothing_is_done_where_nothing_is_worth_its_cost():
    found = row(plan(value=1.0))
    assert (found["action"], found["channel"], found["expected_value_eur"]) == ("nothing", None, 0.0)
    assert found["runner_up"] == "call"
    assert any("no permitted action" in text for text in found["reasons"])
    # where no other action is permitted either, there is no runner-up and its value is no number
    only = CATALOGUE.replace('["outbound_cc", "inbound_cc"]', '["outbound_cc"]')
    refuses = pl.DataFrame(
        {"account_id": ["a0"], "tier": ["gold"], "consent_field": [False], "consent_outbound_cc": [False]}
    )
    alone = plan(accounts=refuses, catalogue=only)
    assert (row(alone)["runner_up"], row(alone)["runner_up_value_eur"]) == (None, None)


@pytest.mark.parametrize(
    ("touches", "excluded", "action"),
    [
        ([touch("a0", 3, "visit", "field")], "visit: tried 3 days ago (cool-down 14 days)", "call"),
        ([touch("a0", 0.5, "other", "field")],
         "visit: contacted 0 days ago (at least 1 days between contacts)", "call"),
        ([touch("a0", 6, "x", "field"), touch("a0", 5, "x", "field")],
         "visit: already contacted 2 times in 7 days", "call"),
        ([touch("a0", 20, rejected=True), touch("a0", 40, rejected=True)],
         "call: refused 2 times in a row, resting 60 days", "visit"),
        ([touch("a0", 20, rejected=True), touch("a0", 40)], "call: 29 EUR by inbound_cc", "visit"),
        ([touch("a0", 70, rejected=True), touch("a0", 80, rejected=True)],
         "call: 28 EUR by outbound_cc", "visit"),
    ],
)  # fmt: skip
def test_every_rule_on_the_past_gives_its_reason(touches, excluded, action):
    # where a call by telephone is to be told of, listening for one must cost more
    dearer = (
        ("contact = false", "contact = false\nprior_factor = 0.9") if "outbound_cc" in excluded else ("", "")
    )
    found = row(plan(touches=touches, catalogue=CATALOGUE.replace(*dearer)))
    assert excluded in found["excluded"]
    assert found["action"] == action


def test_conditions_consent_and_quiet_hours_give_their_reason():
    accounts = pl.DataFrame(
        {
            "account_id": ["bronze", "unknown", "no", "never asked"],
            "tier": ["bronze", None, "gold", "gold"],
            "consent_field": [True, True, False, None],
            "consent_outbound_cc": [True] * 4,
        }
    )
    result = plan(accounts=accounts)
    assert "visit: needs tier in ('gold', 'silver')" in row(result, "bronze")["excluded"]
    unknown = "visit: needs tier in ('gold', 'silver'); tier is not known"
    assert unknown in row(result, "unknown")["excluded"]
    assert "visit: no consent to field" in row(result, "no")["excluded"]
    assert "visit: no consent to field" in row(result, "never asked")["excluded"]
    closed = plan(catalogue=CATALOGUE.replace('quiet_hours = ["19:00-09:00"]', 'quiet_days = ["tue", "wed"]'))
    assert row(closed)["contact_from"] == datetime(2026, 7, 2)
    assert (
        "visit: field is quiet until 2026-07-02 00:00"
        in row(
            plan(
                catalogue=CATALOGUE.replace('quiet_hours = ["19:00-09:00"]', 'quiet_days = ["tue", "wed"]'),
                horizon_days=1,
            )
        )["excluded"]
    )


def test_quiet_hours_are_read_on_the_accounts_own_clock():
    accounts = pl.DataFrame(
        {"account_id": ["a0", "a1"], "tier": ["gold"] * 2, "zone": ["Europe/Madrid", "America/New_York"]}
    )
    schema = AccountSchema(categorical={"tier": None}, roles={"tier": "tier", "time_zone": "zone"})
    result = plan(accounts=accounts, schema=schema)
    assert result.frame["contact_from"].to_list() == [datetime(2026, 6, 30, 9), datetime(2026, 6, 30, 15)]
    assert "consent is assumed" in result.summary()["notes"]
    assert any("it is assumed" in text for text in row(result)["reasons"])


def test_an_unknown_column_is_an_error_or_leaves_an_optional_action_out():
    bad = CATALOGUE.replace("tier in ('gold', 'silver')", "teir in ('gold')")
    with pytest.raises(InputError, match=r"mine\.toml: actions\.visit\.requires\[0\].*did you mean 'tier'"):
        plan(catalogue=bad)
    result = plan(catalogue=bad.replace("[actions.visit]", "[actions.visit]\noptional = true"))
    assert "visit: the data have no teir" in row(result)["excluded"]
    assert "visit is not offered" in result.summary()["notes"]


def test_an_unknown_past_action_counts_as_a_contact_and_is_noted():
    result = plan(touches=[touch("a0", 3, "vist", "field")])
    assert "unknown action 'vist': did you mean 'visit'" in result.summary()["notes"]
    assert "call: already contacted" not in str(row(result)["excluded"])


random_touches = st.lists(
    st.tuples(
        st.integers(0, 7), st.floats(0, 40), st.sampled_from(["visit", "call", "other", "nothing"]),
        st.sampled_from(["field", "outbound_cc", "inbound_cc"]), st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(random_touches, st.lists(st.sampled_from([True, False, None]), min_size=8, max_size=8),
       st.floats(0, 2000), st.sampled_from([None, 0, 3]))  # fmt: skip
def test_the_rules_hold_whatever_was_done_before(past, consent, value, max_contacts):
    accounts = pl.DataFrame(
        {
            "account_id": [f"a{k}" for k in range(8)],
            "tier": ["gold"] * 8,
            "consent_field": consent,
            "consent_outbound_cc": consent[::-1],
        },
        schema_overrides={"consent_field": pl.Boolean, "consent_outbound_cc": pl.Boolean},
    )
    touches = [
        touch(f"a{k}", days, action, None if action == "nothing" else channel, rejected=no)
        for k, days, action, channel, no in past
    ]
    result = plan(accounts=accounts, touches=touches, value=value, max_contacts=max_contacts,
                  exploration_share=0.3, control_share=0.2)  # fmt: skip
    contacted = result.frame.filter(pl.col("channel").is_in(["field", "outbound_cc"]))
    assert max_contacts is None or contacted.height <= max_contacts
    for found in contacted.iter_rows(named=True):
        k = int(found["account_id"][1:])
        assert (consent if found["channel"] == "field" else consent[::-1])[k] is True
        mine = [item for item in touches if item["account_id"] == found["account_id"]]
        made = [(AS_OF - item["touched_at"]) / timedelta(days=1) for item in mine
                if item["action"] != "nothing" and item["channel"] != "inbound_cc"]  # fmt: skip
        assert sum(days < 7 for days in made) < 2
        assert all(days >= 1 for days in made)
    assert result.frame.filter("control")["action"].eq("nothing").all()
    done = result.frame.filter((pl.col("action") != "nothing") & ~pl.col("explore"))
    assert (done["expected_value_eur"] > 0).all()
    listed = result.frame.with_columns(n=pl.col("excluded").list.len() + (pl.col("action") != "nothing"))
    assert (listed["n"] == 2).all()  # each action is chosen or has its reason


def facts(n, rng):
    return pl.DataFrame(
        {
            "value_bucket": rng.integers(1, 4, n),
            "potential_bucket": rng.integers(1, 4, n),
            "churn_probability": rng.random(n),
            "days_since_contact": np.where(rng.random(n) < 0.2, np.nan, rng.gamma(1, 50, n)),
            "potential_eur": rng.gamma(1, 500, n),
            "digital_engagement": rng.normal(50, 20, n),
            "support_tickets": rng.poisson(1, n),
            "csat": np.where(rng.random(n) < 0.3, np.nan, rng.uniform(1, 5, n)),
        }
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 200))
def test_contributions_add_up_exactly_and_a_score_ignores_the_batch(seed, n):
    rng = np.random.default_rng(seed)
    table, params = facts(n, rng), ScoreParams()
    scale = fit_score(table, params)
    scored = apply_score(table, scale, params)
    total = np.zeros(n)
    for component in COMPONENTS:
        total = total + scored[contribution_column(component)].to_numpy()
    assert (scored["nba_score"].to_numpy() == total).all()
    assert apply_score(table[n // 2 :], scale, params).equals(scored[n // 2 :])


def test_the_score_points_where_it_should():
    table, params = facts(2000, np.random.default_rng(1)), ScoreParams()
    scale = fit_score(table, params)
    base = apply_score(table, scale, params)["nba_score"]
    for column, change in (("churn_probability", 0.1), ("potential_eur", 100.0), ("digital_engagement", 5.0),
                           ("support_tickets", 1), ("csat", -0.5), ("days_since_contact", 10.0)):  # fmt: skip
        moved = apply_score(table.with_columns(pl.col(column) + change), scale, params)["nba_score"]
        assert (moved >= base).all()
        assert moved.sum() > base.sum()
    with pytest.raises(InputError, match="did you mean 'churn'"):
        fit_score(table, ScoreParams(weights={"churm": 1.0}))


UNBOUNDED = CATALOGUE.replace(
    "[exploration]", '[exploration]\nof_gain = 1.0\nchannels = ["field", "outbound_cc", "inbound_cc"]'
)


def test_exploration_and_control_are_stable_and_logged():
    shares = {"exploration_share": 0.2, "control_share": 0.1, "catalogue": UNBOUNDED}
    result = plan(n=2000, draw="monday", **shares)
    again = plan(n=1000, draw="monday", **shares)
    other = plan(n=2000, draw="tuesday", **shares)
    columns = ["account_id", "action", "control", "explore", "propensity"]
    assert again.frame.select(columns).equals(result.frame[:1000].select(columns))
    assert other.frame["control"].equals(result.frame["control"])
    assert not other.frame["explore"].equals(result.frame["explore"])
    assert result.frame["control"].mean() == pytest.approx(0.1, abs=0.02)
    explored = result.frame.filter("explore")
    assert explored.height / 2000 == pytest.approx(0.18, abs=0.03)
    assert set(explored["action"]) == {"visit", "call", "nothing"}
    # 1 of 4 choices (three options and nothing) by chance, the best one otherwise
    visit = result.frame.filter(pl.col("action") == "visit")["propensity"]
    assert visit.to_numpy() == pytest.approx(0.9 * (0.8 + 0.2 / 4))


def test_the_default_catalogue_needs_nothing_but_an_id():
    accounts = pl.DataFrame({"account_id": ["a0", "a1"]})
    result = plan(accounts=accounts, schema=AccountSchema(), catalogue=default_catalogue_text())
    assert result.frame["action"].is_in([action.name for action in default_catalogue().actions]).all()
    assert "service_recovery is not offered" in result.summary()["notes"]


@pytest.mark.parametrize("n", [0, 1])
def test_no_and_one_account_are_planned(n):
    result = plan(n=n)
    assert result.frame.height == n
    assert {name: result.frame.schema[name] for name in ACTION_COLUMNS} == ACTION_COLUMNS


def test_orders_become_facts():
    orders = pl.DataFrame(
        {"account_id": ["a0"], "ordered_at": [AS_OF - timedelta(days=20)], "amount_eur": [5.0]},
        schema=ORDER_COLUMNS,
    )
    catalogue = parse_catalogue(
        CATALOGUE.replace("tier in ('gold', 'silver')", "days_since_order >= 14"), "mine.toml"
    )
    accounts = pl.DataFrame({"account_id": ["a0", "a1"]})
    predictions = accounts.with_columns(churn_probability=0.1, predicted_value_eur=900.0)
    params = replace(ActionParams(catalogue=catalogue), exploration_share=0.0, control_share=0.0)
    result = choose_actions(accounts, predictions, params=params, orders=orders, as_of=AS_OF)
    assert result.frame["action"].to_list() == ["visit", "call"]


def test_exploration_gives_up_at_most_its_share_of_the_gain_and_makes_no_visit():
    result = plan(n=3000, exploration_share=0.3)
    frame = result.frame
    explored = frame.filter("explore")
    # a visit is worth 1000 × .5 × .2 × 1 − 10 = 90 to everybody
    assert frame.filter(~pl.col("explore"))["expected_value_eur"].unique().to_list() == pytest.approx([90.0])
    lost = (90.0 - explored["expected_value_eur"]).sum()
    assert frame["exploration_cost_eur"].sum() == pytest.approx(lost)
    assert 0.018 * 90 * 3000 < lost <= 0.02 * 90 * 3000
    # calls cost more than what the customer's own call costs, and are drawn once all of them can be paid
    assert set(explored["channel"].drop_nulls()) == {"inbound_cc"}
    fewer = plan(n=3000, exploration_share=0.02).frame.filter("explore")
    assert set(fewer["channel"].drop_nulls()) == {"outbound_cc", "inbound_cc"}


def test_nobody_explores_where_nothing_is_to_be_gained():
    result = plan(n=500, value=0.0, exploration_share=0.3)
    assert not result.frame["explore"].any()
    assert result.frame["action"].unique().to_list() == ["nothing"]
    assert result.frame["exploration_cost_eur"].sum() == 0.0


def test_actions_whose_worth_is_not_known_say_so():
    result = plan(value=None)
    assert result.frame["action"].unique().to_list() == ["nothing"]
    why = "what it is worth is not known: predicted_value_eur is not known"
    assert row(result)["excluded"] == [f"visit: {why}", f"call: {why}"]
