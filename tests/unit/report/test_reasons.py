"""Reasons in the words of people: every form that the stages have, with its figures carried over."""

from __future__ import annotations

import pytest

from dealwright.report.format import Format
from dealwright.report.reasons import Reasons

EN, ES = Reasons(Format()), Reasons(Format("es_ES"))


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("needs churn_probability >= 0.2", "needs: churn probability at least 20%"),
        ("needs days_since_order >= 14; days_since_order is not known",
         "needs: days since the last order at least 14; days since the last order is not known"),
        ("needs recent_issue > 0", "needs: recent issue more than 0"),
        ("no consent to field", "no consent to visit"),
        ("in the control group", "in the control group"),
        ("outbound_cc is full: place 1,203 in its queue", "call is full: place 1,203 in its queue"),
        ("would displace A1 (60.10 EUR) and change the cost of travel by +18.55 EUR",
         "would take the place of A1 (€60.10); cost of travel +€18.55"),
        ("would displace A1 (1.00 EUR) and change the cost of travel by +0.00 EUR",
         "would take the place of A1 (€1.00); cost of travel €0.00"),
        ("would displace A1 and B2 (5.00 EUR) and change the cost of travel by -0.50 EUR",
         "would take the place of A1 and B2 (€5.00); cost of travel -€0.50"),
        ("days since last order 29: odds of leaving ×0.64",
         "days since the last order 29: leaving is less likely"),
        ("days since last order unknown: odds of leaving ×3",
         "days since the last order not known: leaving is much more likely"),
        ("industry food retail: spend ×0.83", "industry food retail: expected spend ×0.83"),
        ("lifetime_value_eur 249,002, far above the typical 3,918.57 (z +56.7)",
         "lifetime value 249,002, far above the typical 3,918.57"),
        ("0 orders lately, fewer than its usual 1.7", "orders lately: 0, fewer than the usual 1.7"),
        ("an order of 892 EUR, usually 56 EUR", "an order of €892.00, usually €56.00"),
        ("something new that costs 1,200 EUR for web_sessions_30d",
         "something new that costs €1,200.00 for web sessions in 30 days"),
    ],
)  # fmt: skip
def test_a_reason_is_said_in_words(reason: str, said: str) -> None:
    assert EN.say(reason) == said


def test_reasons_have_a_language() -> None:
    assert (
        ES.say("needs churn_probability >= 0.2") == "requiere: probabilidad de abandono, al menos 20\u00a0%"
    )
    assert ES.say("outbound_cc is full: place 1 in its queue") == "llamada: completo; puesto 1 en la cola"
    # a form that only the briefs' catalogue has
    assert "poco frecuente" in ES.say("rare tier (7.69% of accounts)")
    assert EN.say("rare tier (7.69% of accounts)") == "rare tier (7.69% of accounts)"
    assert ES.notice("2 accounts are left alone as a control group, drawn at random as well").startswith(
        "2 cuentas"
    )


@pytest.mark.parametrize(
    ("factor", "said"),
    [("0.079", "much less likely"), ("0.5", "less likely"), ("1.0", "about as likely"),
     ("1.3", "more likely"), ("2.2", "much more likely")],
)  # fmt: skip
def test_odds_are_said_as_people_say_them(factor: str, said: str) -> None:
    assert EN.say(f"touches 6: odds of leaving ×{factor}") == f"contacts 6: leaving is {said}"


def test_an_action_that_was_not_chosen_has_its_value_and_its_reason() -> None:
    assert EN.option("upsell: 1,041.5 EUR by outbound_cc") == {
        "action": "upsell", "why": "brings less (call)", "value": 1041.5,
    }  # fmt: skip
    assert EN.option("visit: -4.8 EUR by field") == {
        "action": "visit", "why": "costs more than it brings (visit)", "value": -4.8,
    }  # fmt: skip
    assert EN.option("visit: no consent to field") == {
        "action": "visit", "why": "no consent to visit", "value": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("notice", "said"),
    [
        (("1 accounts get an action drawn at random, to learn what works: "
          "some of them are not expected to pay"),
         "1 account gets an action drawn at random, to learn what works; it may not pay."),
        ("1,203 accounts get another representative (accounts.parquet, rep_id)",
         "1,203 accounts get a new representative."),
        ("3 calls have no place: no time left: give --staff (calls_unplaced.parquet)",
         "3 calls have no place: no time left"),
        ("churn: too few rows; see model_card.json", "Churn: too few rows"),
    ],
)  # fmt: skip
def test_a_notice_names_no_file_and_no_option(notice: str, said: str) -> None:
    assert EN.notice(notice).rstrip(": ") == said


def test_amounts_are_in_the_currency_of_the_run() -> None:
    dollars = Reasons(Format("en_US", "USD"))
    assert dollars.amounts("would cost €1,200 a month, or −€5; 7.50 EUR a visit") == (
        "would cost $1,200 a month, or -$5; $7.50 a visit"
    )
