"""Write an `AccountSchema` as the TOML declaration a user would have written."""

from __future__ import annotations

from typing import Any

from dealwright.schemas import CHURNED, FUTURE_VALUE, PREFERRED_CHANNEL, AccountSchema, consent_column
from dealwright.toml import to_toml


def schema_toml(schema: AccountSchema) -> str:
    """Declare columns that already carry their canonical names."""
    accounts: dict[str, Any] = {"id": "account_id"}
    if schema.has_position:
        accounts |= {"latitude": "lat_deg", "longitude": "lon_deg"}
    if schema.has_preferred_channel:
        accounts["preferred_channel"] = PREFERRED_CHANNEL
    accounts |= {
        "numeric": list(schema.numeric),
        "categorical": [name for name, values in schema.categorical.items() if values is None],
        "dates": [name for name in schema.dates if name not in schema.dates_ahead],
        "dates_ahead": list(schema.dates_ahead),
    }
    categories = {name: list(values) for name, values in schema.categorical.items() if values is not None}
    labels = {CHURNED: CHURNED} if schema.has_churn_label else {}
    labels |= {FUTURE_VALUE: FUTURE_VALUE} if schema.has_value_label else {}
    tables: dict[str, Any] = {
        "categories": categories,
        "labels": labels,
        "consent": {channel: consent_column(channel) for channel in schema.consent},
        "roles": dict(schema.roles),
        "known_from": dict(schema.known_from),
    }
    return to_toml({"accounts": accounts | {name: table for name, table in tables.items() if table}})
