"""The key figures as people read them: label, value, target and status, in a run's format."""

from __future__ import annotations

from typing import Final

from dealwright.plan.kpis import GROUPS, Kpi
from dealwright.report.format import Format, mark

_GROUPS: Final = dict(
    zip(GROUPS, (mark("What it brings"), mark("The day"), mark("Can it be trusted")), strict=True)
)
_STATUS: Final = {
    "met": (mark("met"), "good"), "missed": (mark("missed"), "bad"), "unknown": (mark("no data"), ""),
    "shown": ("", ""),
}  # fmt: skip


def group_words(group: str) -> str:
    """Return the message under which a group of figures stands."""
    return _GROUPS[group]


def write_value(kpi: Kpi, value: float | None, form: Format) -> str:
    """Write a value of a figure in its unit."""
    return form.unit(value, kpi.definition.unit, kpi.definition.digits)


def write_figure(kpi: Kpi, form: Format) -> dict[str, str]:
    """Return ``name, label, value, target, word, state``; `state` is good, bad or empty."""
    low, high = (
        None if bound is None else write_value(kpi, bound, form) for bound in (kpi.at_least, kpi.at_most)
    )
    if low is not None and high is not None:
        target = form.text("%(low)s to %(high)s", low=low, high=high)
    elif low is not None:
        target = form.text("at least %(value)s", value=low)
    else:
        target = "" if high is None else form.text("at most %(value)s", value=high)
    word, state = _STATUS[kpi.status]
    return {
        "name": kpi.name, "label": form.text(kpi.definition.label),
        "value": write_value(kpi, kpi.value, form),
        "target": target, "word": form.text(word) if word else "", "state": state,
    }  # fmt: skip
