"""The floor: who asks, who got it and why, who has room, who waits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dealwright.desk.desk import Desk
from dealwright.desk.floor import Behind
from dealwright.report.format import Format
from dealwright.web.pages import write_page
from dealwright.web.view import READERS, Ask, Shown, View
from dealwright.web.words import VERDICTS, brief_reasons, tell_apart

_REMEMBERED: Final = 2_000
_ARRIVALS, _LINE, _QUEUE, _TIMERS = 20, 30, 12, 8
PARTS_OF_FLOOR: Final = ("facts", "arrivals", "queue", "timers", "agents")


@dataclass(frozen=True)
class FloorData:
    """What the floor shows."""

    facts: Mapping[str, Any]
    arrivals: list[dict[str, Any]]
    waiting: list[dict[str, Any]]
    timers: list[dict[str, Any]]
    line: list[dict[str, Any]]
    policy: str
    verdict: str
    outcomes: int | None


class Drawer:
    """Looks at the floor and draws it; what is behind a decision is looked up once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._behind: OrderedDict[int, Behind] = OrderedDict()

    def look(self) -> FloorData:
        """Return what the floor shows now."""
        floor = self._desk.floor
        day = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        facts = floor.facts(day)
        arrivals = self._with_reasons(floor.arrivals(_ARRIVALS))
        used = self._desk.used_policy()
        evidence = (used if used["policy"] == "value" else self._desk.used_policy("value"))["evidence"] or {}
        return FloorData(
            facts,
            arrivals,
            floor.waiting(_QUEUE) if facts["waiting"] else [],
            floor.timers(_TIMERS) if facts["agents"] else [],
            tell_apart(floor.line(_LINE)) if facts["agents"] else [],
            used["policy"],
            evidence.get("verdict") or "",
            evidence.get("outcomes"),
        )

    def draw(self, form: Format, data: FloorData) -> dict[str, str]:
        """Return the parts of the floor in one way to write figures."""
        values = floor_values(form, data)
        return {name: write_page(form, f"floor_{name}.html", values) for name in PARTS_OF_FLOOR}

    def _with_reasons(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        missing = [
            row["desk_assignment_id"]
            for row in rows
            if row["decision_id"] is not None and row["desk_assignment_id"] not in self._behind
        ]
        self._behind.update(self._desk.floor.behind(missing))
        while len(self._behind) > _REMEMBERED:
            self._behind.popitem(last=False)
        none = Behind(None, None, ())
        found = [self._behind.get(row["desk_assignment_id"], none) for row in rows]
        return [
            {**row, "win_low": item.win_low, "win_high": item.win_high, "reasons": list(item.reasons)}
            for row, item in zip(rows, found, strict=True)
        ]


def floor_values(form: Format, data: FloorData) -> dict[str, Any]:
    """Return what the templates of the floor need."""
    arrivals = [{**row, "why": brief_reasons(form, tuple(row["reasons"]))} for row in data.arrivals]
    verdict = form.text(VERDICTS[data.verdict]) if data.verdict in VERDICTS else None
    return {
        "facts": data.facts,
        "arrivals": arrivals,
        "waiting": data.waiting,
        "timers": data.timers,
        "line": data.line,
        "policy": data.policy,
        "verdict": verdict,
        "outcomes": data.outcomes,
    }


def _floor(ask: Ask) -> View:
    data = _drawer(ask).look()
    return View(
        "floor.html",
        ask.form.text("Floor"),
        {
            "facts": data.facts,
            "policy": data.policy,
            "arrivals": data.arrivals,
            "waiting": data.waiting,
            "timers": data.timers,
            "line": data.line,
        },
        table="arrivals",
        extra=floor_values(ask.form, data),
        live="/live/floor",
    )


def _queue(ask: Ask) -> View:
    rows = ask.desk.floor.waiting(500)
    return View(
        "queue.html",
        ask.form.text("Waiting"),
        {"rows": rows, "timers": ask.whole_desk.floor.timers(500)},
        live="/live/floor",
        lead=ask.form.text("Leads that wait for an agent, the most urgent first."),
    )


def _drawer(ask: Ask) -> Drawer:
    state = ask.request.app.state
    found: Drawer | None = getattr(state, "drawer", None)
    if found is None:
        found = state.drawer = Drawer(ask.service.desk)
    return found


PARTS = (Shown("/floor", READERS, _floor), Shown("/queue", READERS, _queue))
