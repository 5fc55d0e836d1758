"""The audit: what was decided, whether it can be recomputed, and whether the record is whole."""

from __future__ import annotations

from typing import Any, Final

from dealwright.web.view import READERS, Ask, Shown, View, address_with

_PAGE: Final = 50


def _decisions(ask: Ask) -> View:
    rows = ask.desk.floor.decisions(before=ask.number("before"), k=_PAGE + 1)
    more = len(rows) > _PAGE
    rows = rows[:_PAGE]
    unsealed = sum(row["block_id"] is None for row in rows)
    return View(
        "audit.html",
        ask.form.text("Audit"),
        {"rows": rows, "next": rows[-1]["decision_id"] if more else None},
        lead=ask.form.text(
            "Every decision of the desk, the newest first; each can be recomputed from its record."
        ),
        extra={
            "older": address_with("/audit", before=rows[-1]["decision_id"]) if more else "",
            "unsealed": unsealed,
        },
    )


def _chain(ask: Ask) -> View:
    """Show the sealed blocks; check all of them when asked to, which takes as long as the record is."""
    rows = ask.desk.floor.blocks()
    checked: dict[str, Any] | None = None
    if ask.asked("check"):
        result = ask.desk.verify()
        broken = [block["block_id"] for block in result.blocks if block["intact"] is False]
        checked = {
            "summary": result.summary(),
            "intact": not broken and not result.changed_files,
            "broken": broken,
            "unsealed": result.unsealed,
        }
    return View(
        "chain.html",
        ask.form.text("Chain"),
        {"rows": rows, "checked": checked},
        lead=ask.form.text(
            "Decisions are sealed in blocks, each with the hash of the one before: a change would show."
        ),
    )


def _changes(ask: Ask) -> View:
    """Show who did what: with a key, signed in, or as a user of the database."""
    chosen = {name: ask.asked(name) for name in ("actor", "action", "object", "object_id")}
    page = ask.desk.book.changes(
        actor=chosen["actor"] or None,
        action=chosen["action"] or None,
        kind=chosen["object"] or None,
        object_id=chosen["object_id"] or None,
        after=ask.number("after"),
        k=_PAGE,
    )
    return View(
        "changes.html",
        ask.form.text("Who did what"),
        {"rows": list(page.rows), "next": page.next},
        lead=ask.form.text(
            "What people and programs changed, the newest first; nobody can change this list."
        ),
        extra={
            "chosen": {name: value for name, value in chosen.items() if value},
            "older": address_with("/audit/changes", **chosen, after=page.next) if page.next else "",
        },
    )


def _contests(ask: Ask) -> View:
    """Show the outcomes that somebody does not accept: a manager looks into them."""
    with_resolved = bool(ask.asked("resolved"))
    rows = ask.whole_desk.floor.contests(with_resolved=with_resolved)
    return View(
        "contests.html",
        ask.form.text("Contested outcomes"),
        {"rows": rows},
        lead=ask.form.text(
            "What an agent does not accept is left out of training until a manager has looked into it."
        ),
        extra={"with_resolved": with_resolved},
    )


PARTS = (
    Shown("/audit", READERS, _decisions),
    Shown("/audit/changes", ("manager",), _changes),
    Shown("/audit/contests", ("manager",), _contests),
    Shown("/audit/chain", READERS, _chain),
)
