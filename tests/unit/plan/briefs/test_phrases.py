"""The models' reasons in a seller's words: every form is known, figures and the user's own words are kept."""

from __future__ import annotations

import re
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealwright.plan.briefs import BriefParams, write_briefs
from dealwright.plan.briefs.phrases import load_phrases
from dealwright.schemas import AccountSchema

OWN = ("industry", "digital engagement", "count")
SPANISH = load_phrases("es", OWN)
ENGLISH = load_phrases("en", OWN)


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("days since last order 22: odds of leaving ×0.65",
         "días desde el último pedido: 22 (irse es menos probable)"),
        ("spend in the last period in EUR 1234.5: spend ×1.4",
         "gasto en el último periodo, en EUR: 1.234,5 (gasto ×1,4)"),
        ("touches 3: +12.5 EUR", "contactos: 3 (+12,5 EUR)"),
        ("touches 3: -12.5 EUR", "contactos: 3 (-12,5 EUR)"),
        ("spend 90d eur 120: spend ×1.1", "gasto, en EUR (90 d): 120 (gasto ×1,1)"),
        ("days_since_customer_since 900.5: spend ×1.2", "días desde customer since: 900,5 (gasto ×1,2)"),
        ("industry fashion retail: odds of leaving ×2.0",
         "industry: fashion retail (irse es mucho más probable)"),
        ("digital engagement unknown: spend ×0.9", "digital engagement: desconocido (gasto ×0,9)"),
        ("preferred_channel field: spend ×1.1", "canal preferido: visita presencial (gasto ×1,1)"),
        ("an order of 1,900 EUR, usually 83 EUR", "un pedido de 1.900 EUR, lo habitual son 83 EUR"),
        ("no order for 63 days, usually every 9 days",
         "ningún pedido en 63 días, lo habitual es cada 9 días"),
        ("9 orders lately, more than its usual 3.3", "pedidos recientes: 9, más de los 3,3 habituales"),
        ("0 orders lately, fewer than its usual 3.3", "pedidos recientes: 0, menos de los 3,3 habituales"),
        ("rare industry (0.12% of accounts)", "industry poco frecuente (0,12 % de las cuentas)"),
        ("csat 1, far below the typical 4.5 (z -9.1)",
         "csat: 1, muy por debajo de lo típico, 4,5"),
        ("days since customer_since 9,000, far above the typical 400 (z +9.1)",
         "días desde customer since: 9.000, muy por encima de lo típico, 400"),
        ("stated prior", "un supuesto, aún no aprendido de contactos"),
        ("response rate learned from 1,234 touches, increment from the stated prior; field not tried enough",
         ("las respuestas, de 1.234 contactos anteriores; lo que añade el contacto, un supuesto; "
          "por visita presencial hay aún pocos")),
        ("learned from 99 touches (average 60%, forest 40%)",
         "99 contactos anteriores"),
    ],
)  # fmt: skip
def test_every_form_of_a_reason_has_its_translation(english: str, spanish: str) -> None:
    assert SPANISH.say(english) == spanish


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("days since last order 22: odds of leaving ×0.65",
         "days since the last order 22 (leaving is less likely)"),
        ("days since last order 181: odds of leaving ×6.2",
         "days since the last order 181 (leaving is much more likely)"),
        ("support_tickets_90d 0: odds of leaving ×0.3",
         "support tickets 90d 0 (leaving is much less likely)"),
        ("touches 3: odds of leaving ×1.0", "contacts 3 (leaving is about as likely)"),
        ("spend in the last period in EUR 4880.0: odds of leaving ×1.99",
         "spend in the last period in EUR 4,880 (leaving is more likely)"),
        ("digital engagement unknown: spend ×0.90", "digital engagement not known (spend ×0.9)"),
        ("csat 1, far below the typical 4.5 (z -9.1)", "csat 1, far below the usual 4.5"),
        ("stated prior", "an assumption, not yet learned from contacts"),
        ("learned from 4,605 touches (S 49%, doubly robust 28%, X 17%, T 6%)", "4,605 earlier contacts"),
        ("learned from 4,605 touches (S 100%); outbound_cc not tried enough",
         "4,605 earlier contacts; few of them by call yet"),
    ],
)  # fmt: skip
def test_a_seller_reads_no_word_of_a_model(model: str, said: str) -> None:
    assert ENGLISH.say(model) == said


def test_both_languages_know_the_same_forms_and_odds() -> None:
    # what English has no other words for stays as the stage says it
    spanish = {form.pattern for form, _ in SPANISH.forms}
    assert {form.pattern for form, _ in ENGLISH.forms} <= spanish
    assert [bound for bound, _ in ENGLISH.odds] == [bound for bound, _ in SPANISH.odds]


def test_an_unknown_form_stays_as_it_is() -> None:
    assert SPANISH.say("the moon is full") == "the moon is full"
    assert SPANISH.say("count 3: spend ×2") == "count: 3 (gasto ×2)"  # the user's own column keeps its name


@given(
    st.sampled_from(
        ["days since last order", "industry", "digital engagement", "days_since_x", "spend 30d eur"]
    ),
    st.floats(-1e6, 1e6).map(lambda x: f"{x:.6g}"),
    st.floats(0.01, 99.0).map(lambda x: f"{x:.2g}"),
)
def test_figures_are_carried_over(feature: str, value: str, factor: str) -> None:
    said = SPANISH.say(f"{feature} {value}: spend ×{factor}")
    figure, change = re.findall(r"[+-]?[\d.,]+(?:e[+-]?\d+)?", said)[-2:]
    swap = str.maketrans({".": "", ",": "."})
    assert float(figure.translate(swap)) == float(value)
    assert float(change.translate(swap)) == float(factor)
    assert not re.search(r"odds|order\b|spend", said)


def test_a_spanish_brief_gives_the_reasons_in_spanish() -> None:
    now = datetime(2026, 6, 30)
    mine = pl.DataFrame({"account_id": ["A"]})
    schema = AccountSchema(numeric=("csat",))
    accounts = pl.DataFrame(
        {
            "account_id": ["A", "B"], "action": ["visit", "visit"], "churn_probability": [0.4, 0.5],
            "is_anomaly": [True, False], "effect_source": ["stated prior", None],
            "churn_reasons": [
                ["days since last order 22: odds of leaving ×1.5", "csat 2: odds of leaving ×1.2"], []
            ],
            "anomaly_reasons": [["no order for 63 days, usually every 9 days"], []],
        }
    )  # fmt: skip
    visits = pl.DataFrame(
        {"rep_id": ["R"], "account_id": ["A"], "stop": [1], "start_at": [now], "leave_at": [now]}
    )
    text = (
        write_briefs(mine, accounts, BriefParams("es"), visits=visits, schema=schema, as_of=now)
        .briefs["markdown"][0]
        .replace("\\", "")
    )
    assert "Qué apunta a ello, o en contra: días desde el último pedido: 22" in text
    assert "csat: 2 (irse es más probable)" in text
    assert "antes de usarlos: ningún pedido en 63 días" in text
    assert "Cómo se sabe: un supuesto, aún no aprendido de contactos." in text
    assert "odds" not in text
