"""Tables for people: readable at 80 columns, numbers aligned, the reasons in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from dealwright.desk.results import Explanation, Models, Placement, Queue, Ranking
    from dealwright.learn.train import TrainResult

_REASONS_SHOWN = 2


def _table(*heads: str) -> Table:
    """Return a table without rows; a heading that begins with < is that of words, at the left."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        words = head.startswith("<")
        justify: Literal["left", "right"] = "left" if words else "right"
        table.add_column(head.removeprefix("<"), justify=justify, overflow="fold", no_wrap=not words)
    return table


def ranking_table(ranking: Ranking) -> Table:
    """Show ranked agents with score, workload and the strongest reasons.

    Under the value policy the score is the win probability, so its interval and the expected money stand
    beside it; under the others the win probability does, if there is a match model, with its interval.
    """
    by_value = ranking.policy == "value"
    table = _table(
        "#", "id", "<agent", "score", *(("90 %", "worth") if by_value else ("win", "90 %")), "open", "<why"
    )
    notices = common_notices(ranking.ranking)
    for row in ranking.ranking:
        table.add_row(
            str(row["rank"]),
            str(row["agent_id"]),
            escape(row["agent_name"]),
            number(row["match_score"], 1),
            *(
                (interval_of(row), number(row["expected_value"], 0))
                if by_value
                else (percent(row["win_probability"]), interval_of(row))
            ),
            f"{row['open']}/{row['capacity']}",
            escape(reasons_text(row["reasons"], notices)),
            style=None if row["eligible"] else "dim",
        )
    return table


def common_notices(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the reasons in mere words that all rows share: said once, they need not be said again."""
    words = [{item["reason"]: None for item in row["reasons"] or () if _is_remark(item)} for row in rows]
    return [remark for remark in words[0] if all(remark in others for others in words)] if words else []


def _is_remark(item: Mapping[str, Any]) -> bool:
    return item.get("contribution") is None and "value" not in item


def reasons_text(reasons: Sequence[Mapping[str, Any]] | None, unsaid: Sequence[str] = ()) -> str:
    """Write the first reasons in words, without those that are said elsewhere."""
    parts = []
    for item in [item for item in reasons or () if item["reason"] not in unsaid][:_REASONS_SHOWN]:
        reason, value = item["reason"], item.get("value")
        if item.get("contribution") is not None:
            parts.append(f"{reason} {item['contribution']:+.2f}")
        elif value is not None:
            parts.append(f"{reason} {value:g}" if isinstance(value, float) else f"{reason} {value}")
        elif "value" in item:
            parts.append(f"{reason} –")
        else:
            parts.append(str(reason))
    return ", ".join(parts)


def agents_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Show agents with a bar for how full they are, and what they have of each channel with a limit."""
    limited = any(row.get("channels") for row in rows)
    table = _table(
        "#", "id", "<agent", "open", "<", "won", "<department", *(("<channels",) if limited else ())
    )
    for row in rows:
        full = min(row["open"] / row["capacity"], 1) if row["capacity"] else 1
        cells = round(full * 10)
        share = f"{row['won']}/{row['known']}" if row["known"] else "–"
        table.add_row(
            str(row["rank"]),
            str(row["agent_id"]),
            escape(row["agent_name"]),
            f"{row['open']}/{row['capacity']}",
            "█" * cells + "·" * (10 - cells),
            share,
            escape(row["department"] or ""),
            *((escape(_channels(row["channels"])),) if limited else ()),
            style=None if row["active"] else "dim",
        )
    return table


def _channels(channels: Sequence[Mapping[str, Any]] | None) -> str:
    return ", ".join(
        f"{item['channel']} {item['open']}" + ("" if item["capacity"] is None else f"/{item['capacity']}")
        for item in channels or ()
    )


def placements_table(documents: Sequence[Mapping[str, Any]], placements: Sequence[Placement]) -> Table:
    """Show where each lead of a file went."""
    table = _table("<customer", "assignment", "booking", "<agent", "score", "90 %", "open")
    for document, placement in zip(documents, placements, strict=True):
        row = placement.row
        if placement.assigned:
            agent = f"{row['agent_name']} ({row['agent_id']})"
            table.add_row(
                escape(document["customer_name"]),
                str(row["assignment_id"]),
                str(row["booking_id"]),
                escape(agent),
                number(row["match_score"], 1),
                interval_of(row) if row["policy"] == "value" else "–",
                f"{row['open']}/{row['capacity']}",
            )
        else:
            table.add_row(escape(document["customer_name"]), "–", "–", "waits", "–", "–", "–", style="yellow")
    return table


def keys_table(keys: Sequence[Mapping[str, Any]]) -> Table:
    """Show the keys of the service, and which are valid."""
    table = _table("<key", "<name", "<scopes", "<agent", "<made", "<state")
    for row in keys:
        expires = row["expires_at"]
        if row["revoked_at"] is not None:
            state = "revoked"
        elif not row["is_valid"]:
            state = "expired"
        else:
            state = "valid" if expires is None else f"until {expires:%Y-%m-%d %H:%M}"
        table.add_row(
            row["key_id"],
            escape(row["name"]),
            ", ".join(row["scopes"]),
            "–" if row["agent_id"] is None else escape(str(row["agent_id"])),
            f"{row['created_at']:%Y-%m-%d}",
            state,
        )
    return table


def queue_table(queue: Queue) -> Table:
    """Show who waits, since when, and whether anybody could take it."""
    table = _table("#", "lead", "<customer", "priority", "waits", "<requires", "could")
    for row in queue.rows:
        required = [
            *filter(None, row["required_skills"] or ()),
            *([row["required_department"]] if row["required_department"] else []),
        ]
        table.add_row(
            str(row["place"]),
            str(row["lead_id"]),
            escape(row["customer_name"]),
            str(row["priority"]),
            duration(row["waited_s"]),
            escape(", ".join(required)) or "–",
            str(row["agents_who_could"]),
        )
    return table


def models_table(models: Models) -> Table:
    """Show the registered models."""
    table = _table("id", "<kind", "<made", "<at work", "<evidence")
    for row in models.rows:
        table.add_row(
            str(row["model_id"]),
            row["kind"],
            f"{row['created_at']:%Y-%m-%d %H:%M}",
            "yes" if row["promoted"] else "",
            escape(str((row["evidence"] or {}).get("verdict") or "–")),
            style="bold" if row["promoted"] else None,
        )
    return table


def metrics_table(result: TrainResult) -> Table:
    """Show how good predictions are on later outcomes, beside the baselines."""
    table = _table("<on later outcomes", "log loss", "AUC", "ECE")
    labels = {"base_rate": "one rate for all", "lead_only": "the lead alone", "lead_agent": "lead and agent"}
    rows = [(labels.get(name, name), metrics) for name, metrics in result.evidence.metrics.items()]
    if result.out_of_time is not None:
        calibrated = "" if result.model.calibration.is_identity else ", calibrated"
        rows.append((f"this model{calibrated}", result.out_of_time))
    for label, metrics in rows:
        cells = (metrics.log_loss, metrics.auc, metrics.ece)
        table.add_row(label, *(f"{item.value:.3f} ±{(item.high - item.low) / 2:.3f}" for item in cells))
    return table


def explanation_table(explanation: Explanation) -> Table:
    """Show the ranking as a decision saw it, and what would have made another agent the first.

    The interval is that of the win probability, which is the score under the value policy only.
    """
    by_value = explanation.answer["policy"] == "value"
    worth = f"worth, {explanation.currency}" if explanation.currency else "worth"
    table = _table(
        "#",
        "id",
        "<agent",
        "score",
        *(() if by_value else ("win",)),
        "90 %",
        worth,
        "open",
        "<why",
        "<would have got it",
    )
    chosen = explanation.answer["agent_id"]
    notices = common_notices(explanation.table_rows())
    for row in explanation.table_rows():
        table.add_row(
            str(row["rank"]),
            str(row["agent_id"]),
            escape(row["agent_name"] or ""),
            number(row["match_score"], 1),
            *(() if by_value else (percent(row["win_probability"]),)),
            interval_of(row),
            number(row["expected_value"], 0),
            f"{row['open']}/{row['capacity']}",
            escape(reasons_text(row["reasons"], notices)),
            "got it" if row["agent_id"] == chosen else escape(row["would_have_got_it"] or ""),
            style="bold" if row["agent_id"] == chosen else None,
        )
    return table


def number(value: float | None, digits: int) -> str:
    """Write a number, or a dash."""
    return "–" if value is None else f"{value:,.{digits}f}"


def interval_of(row: Mapping[str, Any]) -> str:
    """Write the 90 % interval of a win probability in per cent, or a dash."""
    from dealwright.desk.results import write_interval

    return write_interval(row) or "–"


def percent(value: float | None) -> str:
    """Write a probability in per cent, or a dash."""
    return "–" if value is None else f"{100 * value:.0f}%"


def duration(seconds: float) -> str:
    """Write a duration in its largest units."""
    minutes = max(int(seconds), 0) // 60
    if minutes < 1:
        return f"{max(int(seconds), 0)} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // 1440} d"
