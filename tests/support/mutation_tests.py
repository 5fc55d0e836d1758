"""Which tests hold a module: what ``tests/mutation.py`` runs when it is told none.

The tests likely to notice come first, because the first that fails ends a run. The random walk over the
whole desk (``test_desk_stateful.py``) leads where counters, assignments and bookings follow from each other.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _sql(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/contract/test_sql_{name}.py" for name in names)


def _desk(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/integration/test_{name}.py" for name in names)


def _unit(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/test_{name}.py" for name in names)


_WALK = _desk("desk_stateful")
_BACKUP = (*_unit("backup_words"), "tests/contract/test_backup_commands.py", *_desk("restore"))
_LEARN = _unit(
    "learn_formulas",
    "learn_caution",
    "learn_wording",
    "learn_fits",
    "learn_alike",
    "learn_train",
    "learn_values",
    "learn_promotion",
)
_JSON = ("tests/contract/test_command_json.py",)
_PLAN = "tests/unit/plan"
_PARTS = f"{_PLAN}/test_pipeline_parts.py"
_CHANNELS_AND_SHIFTS = f"{_PLAN}/test_channel_and_schedule.py"
# by the module's path below src/dealwright (of SQL: below desk/sql), without what its name ends in
TESTS: dict[str, tuple[str, ...]] = {
    "routing/week": tuple(f"{_PLAN}/routing/test_{name}.py" for name in ("parts", "day_values", "route")),
    "plan/headcount": (f"{_PLAN}/test_headcount_parts.py", f"{_PLAN}/test_headcount.py"),
    "plan/flow": (f"{_PLAN}/channels/test_allocation.py",),
    "plan/travel": (f"{_PLAN}/routing/test_travel.py", f"{_PLAN}/routing/test_parts.py"),
    "plan/inputs": (f"{_PLAN}/test_inputs.py", f"{_PLAN}/routing/test_parts.py"),
    "plan/commitments": (f"{_PLAN}/test_commitments.py", _CHANNELS_AND_SHIFTS),
    "plan/notices": (f"{_PLAN}/test_notices.py",),
    "plan/limits": (f"{_PLAN}/test_limits.py", f"{_PLAN}/test_one_more.py"),
    "plan/kpis": (f"{_PLAN}/test_drift.py", _PARTS, f"{_PLAN}/test_kpis.py"),
    "plan/tasks": (_PARTS, *_desk("plan_tasks")),
    **{
        f"plan/{name}": (_PARTS, *(f"{_PLAN}/test_{test}.py" for test in tests))
        for name, tests in {
            "drift": ("drift",),
            "trace": (),
            "coordination": ("one_more",),
            "one_more": ("one_more",),
            "pipeline": ("kpis", "one_more"),
            "stages": ("kpis",),
        }.items()
    },
    "channels/precedence": (f"{_PLAN}/channels/test_precedence.py",),
    "staffing/roster": (f"{_PLAN}/staffing/test_roster.py", f"{_PLAN}/staffing/test_staffing.py"),
    "territories/demand": (f"{_PLAN}/territories",),
    "territories/matching": (f"{_PLAN}/territories",),
    "engine/agent": _sql("people", "by_hand", "candidates", "fair", "queue")
    + _WALK
    + _sql("follow_up", "bounds"),
    "engine/assign": _sql("rules", "people", "refusals", "value", "record", "queue") + _WALK + _sql("fair"),
    "engine/assignment": _WALK + _sql("by_hand", "people", "queue", "follow_up", "record", "value", "many"),
    "engine/audit": _sql("record", "roles", "by_hand") + _desk("worker", "upgrade"),
    "engine/batch": _sql("many", "intervals") + _desk("desk"),
    "engine/booking": _sql("by_hand")
    + _WALK
    + _sql("people", "queue", "follow_up", "refusals", "value", "bounds"),
    "engine/candidates": _sql("candidates", "queue", "value", "eligibility", "fair", "people")
    + _WALK
    + _sql("many"),
    "engine/counters": _WALK + _sql("by_hand", "people", "value", "candidates", "classic", "dimensions"),
    "engine/fair": _sql("fair", "people", "rules") + _WALK + _sql("many", "queue", "record"),
    "engine/import": _desk("desk_import", "desk")
    + _sql("classic", "by_hand", "value", "dimensions", "bounds"),
    "engine/lead": _WALK
    + _sql("queue", "by_hand", "eligibility", "people", "bounds", "dimensions", "refusals"),
    "engine/people": _sql("people", "follow_up", "queue", "by_hand") + _WALK + _desk("worker", "desk"),
    "engine/placement": _sql("people", "queue", "rules", "candidates")
    + _WALK
    + _sql("eligibility", "record", "fair"),
    "engine/requirements": _sql("eligibility", "people") + _WALK + _desk("desk_import"),
    "engine/settle": _sql("refusals", "bounds", "people", "by_hand", "commands")
    + _desk("desk", "desk_answers")
    + _WALK,
    "engine/views": _sql("commands", "roles", "people", "queue", "record")
    + _desk("desk", "desk_report")
    + _JSON,
    "engine/writer": _sql("by_hand", "people", "roles", "rules", "bounds")
    + _WALK
    + _sql("refusals", "tasks"),
    "api/assign": _sql("rules", "people", "refusals", "many", "record")
    + _desk("desk_answers", "desk")
    + _WALK,
    "api/audit": _sql("record", "commands", "roles") + _desk("worker", "desk", "upgrade"),
    "api/people": _sql("people", "follow_up", "queue", "commands", "roles")
    + _desk("desk", "worker", "upgrade")
    + _WALK,
    "api/reassign": _sql("people", "commands", "queue", "follow_up", "refusals", "record") + _JSON + _WALK,
    "api/settle": _sql("refusals", "people", "commands", "by_hand") + _desk("desk", "desk_answers") + _WALK,
    "api/tasks": (*_sql("tasks", "roles"), "tests/contract/test_task_commands.py", *_desk("publish")),
    "desk/backup": _BACKUP,
    "desk/edition": _desk("migrations", "upgrade", "restore", "database"),
    "desk/migrations": _desk("migrations", "upgrade", "restore", "database") + _sql("roles"),
    "desk/models": _unit("learn_values") + _desk("desk") + _sql("commands") + _JSON,
    "desk/promotion": _unit("learn_values", "learn_promotion") + _desk("desk"),
    "desk/restore": _BACKUP,
    "desk/roles": _sql("roles") + _JSON,
    "desk/upgrade": _desk("upgrade", "migrations"),
    "desk/waiting": _unit("waiting") + _desk("waiting"),
    "desk/worker": _desk("worker") + _sql("queue", "record") + _JSON,
    "learn/backtest": _unit("learn_train") + _LEARN,
    "learn/homogeneity": _unit("learn_alike") + _LEARN,
    "learn/score": _LEARN + _sql("value", "intervals"),
    "learn/statistics": _LEARN + _unit("learn_profile"),
    **dict.fromkeys(("learn/evidence", "learn/findings", "learn/verdict"), _LEARN),
}

# of a module that is not named above: by its package
PACKAGES: dict[str, tuple[str, ...]] = {
    **{
        f"plan/{stage}": (f"{_PLAN}/{stage}",)
        for stage in ("actions", "anomalies", "briefs", "quality", "segments", "territories")
    },
    # whole runs of the stage last
    "plan/prediction": tuple(
        f"{_PLAN}/prediction/test_{name}.py"
        for name in (
            "candidates",
            "features",
            "choice",
            "additive",
            "level_values",
            "btyd",
            "values",
            "models",
            "predict",
            "level",
            "trees",
        )
    ),
    "plan/channels": (f"{_PLAN}/channels", _CHANNELS_AND_SHIFTS),
    "plan/routing": tuple(
        f"{_PLAN}/routing/test_{name}.py"
        for name in (
            "parts",
            "job",
            "kernel",
            "engine",
            "day_values",
            "distance_baseline",
            "route",
            "travel",
        )
    ),
    "plan/staffing": (f"{_PLAN}/staffing", _CHANNELS_AND_SHIFTS),
    "learn": _LEARN + _unit("learn_asof", "learn_off_policy", "learn_profile"),
    "stats": ("tests/unit/stats",),
    "tables": ("tests/unit/tables",),
}
# what a run does as a whole; the stages' own tests see what they stand on
_NIGHT = (f"{_PLAN}/test_*.py", f"{_PLAN}/routing", f"{_PLAN}/channels", "tests/integration/test_plan_*.py")
_DEFAULTS = ("tests/unit/test_help.py::test_the_page_of_parameters_has_each_default_of_the_code",)


def _of_package(module: Path) -> tuple[str, ...]:
    package, name = "/".join(module.parent.parts[2:]), module.stem
    if package == "plan":
        own = f"{_PLAN}/test_{name}.py"
        found = ((own,) if (ROOT / own).exists() else ()) + tuple(
            path.relative_to(ROOT).as_posix() for pattern in _NIGHT for path in sorted(ROOT.glob(pattern))
        )
        return tuple(dict.fromkeys(found))
    return PACKAGES.get(package, ())


def noticing(module: Path) -> tuple[str, ...]:
    """Return the tests for a module (``src/dealwright/…``), none where nobody has said which they are."""
    found = TESTS.get("/".join(module.with_suffix("").parts[-2:]), ()) or _of_package(module)
    if found and module.stem in {"params", "kpis"}:
        found = (f"{_PLAN}/test_params.py", *_DEFAULTS, *found)
    # that results are frozen is asked of all modules at once
    return (*found, *_unit("house")) if found and module.suffix == ".py" else found
