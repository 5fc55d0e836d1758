"""Dealwright decides who should sell to a customer, through which channel, when and in what order."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dealwright.desk.desk import Desk
    from dealwright.desk.lead import Lead
    from dealwright.errors import DealwrightError
    from dealwright.plan.params import PlanParams
    from dealwright.plan.pipeline import run_plan
    from dealwright.schemas import AccountSchema, PlanInputs
    from dealwright.tables.plan_inputs import read_plan_inputs

__version__ = "0.1.0"

# name -> module that defines it; imported at first use, so that `import dealwright` costs nothing
_PUBLIC = {
    "AccountSchema": "dealwright.schemas",
    "DealwrightError": "dealwright.errors",
    "Desk": "dealwright.desk.desk",
    "Lead": "dealwright.desk.lead",
    "PlanInputs": "dealwright.schemas",
    "PlanParams": "dealwright.plan.pipeline",
    "read_plan_inputs": "dealwright.tables.plan_inputs",
    "run_plan": "dealwright.plan.pipeline",
}

__all__ = [
    "AccountSchema",
    "DealwrightError",
    "Desk",
    "Lead",
    "PlanInputs",
    "PlanParams",
    "__version__",
    "read_plan_inputs",
    "run_plan",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    try:
        module = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module 'dealwright' has no attribute {name!r}") from None
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
