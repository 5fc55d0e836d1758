"""The evidence: whether agents differ, whether probabilities hold, the models, and what fairness costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dealwright.report.format import mark
from dealwright.web.agents import win_rate, with_rate
from dealwright.web.pages import link_to
from dealwright.web.view import READERS, Ask, Done, Shown, View
from dealwright.web.words import VERDICTS, tell_apart

_AGENTS_SHOWN: Final = 40
_METRICS: Final = (
    ("base_rate", mark("one rate for all leads")),
    ("lead_only", mark("the lead alone")),
    ("lead_agent", mark("the lead and the agent")),
)
_MEANING: Final[Mapping[str, str]] = {
    "agents differ": mark(
        "Agents win different shares of the same kinds of leads, by more than chance. The policy value uses "
        "it, as far as the data support it."
    ),
    "no evidence that agents differ": mark(
        "What agents win differs no more than chance would make it. The desk does not rank them by past "
        "results: that would reward luck."
    ),
    "too little data": mark(
        "So few outcomes cannot show whether agents differ. Until there are more, leads go by free places "
        "and the fair share."
    ),
    "": mark(
        "No model has been trained yet. Run dealwright train, and this page says what the data support."
    ),
}


def _evidence(ask: Ask) -> View:
    desk, form = ask.desk, ask.form
    used = desk.used_policy("value")
    evidence = used["evidence"] or {}
    verdict: str = evidence.get("verdict") or ""
    promoted = next((row for row in desk.models().rows if row["promoted"] and row["kind"] == "value"), None)
    reliability = (promoted["metrics"] or {}).get("reliability") if promoted else None
    bins = calibration_bins(desk.floor.calibration())
    rows = sorted(
        (with_rate(row) for row in tell_apart(desk.floor.records())), key=lambda row: -(row["rate"] or 0)
    )
    for row in rows:
        del row["shifts"], row["desk_agent_id"]
    fairness = shares_of(tell_apart(desk.floor.fairness()))
    return View(
        "evidence.html",
        form.text(VERDICTS[verdict]) if verdict in VERDICTS else form.text("No evidence yet"),
        {
            "model_id": used["model_id"],
            "verdict": verdict,
            "evidence": evidence,
            "reliability": reliability,
            "calibration": bins,
            "rows": rows,
            "fairness": fairness,
        },
        lead=form.text(_MEANING.get(verdict, _MEANING[""])),
        extra={
            "metrics": [
                (form.text(words), evidence["metrics"][name])
                for name, words in _METRICS
                if name in (evidence.get("metrics") or {})
            ],
            "shown": rows[:_AGENTS_SHOWN],
            "default": desk.used_policy()["policy"],
            "price": sum(row["price"] for row in fairness),
            "decisions": sum(row["received"] for row in fairness),
        },
    )


def calibration_bins(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each tenth with what was predicted, what was won, and the 90 % interval of that."""
    found = []
    for row in rows:
        low, rate, high = win_rate(row["won"], row["outcomes"]) or (None, None, None)
        found.append(
            {
                "from": (row["bin"] - 1) / 10,
                "to": row["bin"] / 10,
                "outcomes": row["outcomes"],
                "won": row["won"],
                "predicted": float(row["predicted"]),
                "observed": rate,
                "low": low,
                "high": high,
            }
        )
    return found


def shares_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each agent's share of the decisions beside what its weight would give."""
    received, weight = sum(row["received"] for row in rows), sum(row["weight"] for row in rows)
    return [
        {
            **row,
            "due": received * row["weight"] / weight if weight else 0.0,
            "price": float(row["price"] or 0),
        }
        for row in rows
    ]


def _models(ask: Ask) -> View:
    rows = [dict(row) for row in ask.desk.models().rows]
    return View(
        "models.html",
        ask.form.text("Models"),
        {"rows": rows, "proposals": [dict(row) for row in ask.desk.proposals.list()]},
        extra={"can_decide": ask.may("manager"), "own_id": ask.who.caller_id},
        lead=ask.form.text(
            "What was learned, when, and which model is at work. Every decision names its model."
        ),
    )


def _model(ask: Ask) -> View:
    model = dict(ask.desk.model(int(ask.part("model_id"))))
    evidence, metrics = model["evidence"] or {}, model["metrics"] or {}
    return View(
        "model.html",
        ask.form.text("Model %(number)s", number=model["model_id"]),
        {"model": model},
        extra={
            "evidence": evidence,
            "reliability": metrics.get("reliability"),
            "out_of_time": metrics.get("out_of_time"),
            "can_promote": ask.may(),
            "second_person": ask.desk.proposals.required,
        },
    )


def _promote(ask: Ask) -> str:
    model_id = int(ask.part("model_id"))
    waits = ask.desk.promote(model_id, ask.fields.get("reason") or None)
    return "/models?done=proposed" if waits else link_to("models", model_id) + "?done=promoted"


def _agree(ask: Ask) -> str:
    ask.desk.proposals.agree(int(ask.part("proposal_id")))
    return "/models?done=agreed"


def _refuse(ask: Ask) -> str:
    ask.desk.proposals.refuse(int(ask.part("proposal_id")), ask.fields.get("reason", ""))
    return "/models?done=refused"


PARTS = (
    Shown("/evidence", READERS, _evidence),
    Shown("/models", READERS, _models),
    Shown("/models/{model_id:int}", READERS, _model),
    Done("/models/{model_id:int}/promote", (), _promote),
    Done("/proposals/{proposal_id:int}/agree", ("manager",), _agree),
    Done("/proposals/{proposal_id:int}/refuse", ("manager",), _refuse),
)
