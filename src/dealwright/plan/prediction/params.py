"""Parameters of the stage *predict*."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from dealwright.errors import InputError, UnknownNameError

LabelSource = Literal["auto", "declared", "orders", "none"]


ChurnDefinition = Literal["rhythm", "silence", "alive"]


@dataclass(frozen=True)
class PredictParams:
    """How to predict.

    Attributes
    ----------
    horizon_days
        How far ahead churn and spend look.
    churn_labels, value_labels
        Where labels come from; ``auto`` takes declared ones, else orders, else none.
    churn_definition
        With orders: ``rhythm`` (no order in the horizon, and silent beyond the account's own rhythm),
        ``silence`` (no order in the horizon), ``alive`` (no label: 1 − P(alive) of BG/NBD as it is).
    rhythm_factor
        Own mean gaps an account must be silent for to count as churned.
    train_cut_off
        Moment at which training cases are described; by default one horizon before the run's cut-off.
    label_cut_off
        Moment at which accounts with declared labels are described; by default the run's cut-off.
    observed_at
        Date column of the accounts by which rows with declared labels are ordered in time, if they are.
    features
        The accounts' own columns to use; by default all the schema names.
    reasons
        How many reasons each account gets at most, per target; 0 for none.
    folds
        Of cross-validation.
    most_choice_rows, most_fit_rows
        Beyond this many labelled rows a random sample is used to choose the candidate, to fit the final
        model.
    """

    horizon_days: int = 180
    churn_labels: LabelSource = "auto"
    value_labels: LabelSource = "auto"
    churn_definition: ChurnDefinition = "rhythm"
    rhythm_factor: float = 1.0
    train_cut_off: datetime | None = None
    label_cut_off: datetime | None = None
    observed_at: str | None = None
    features: tuple[str, ...] | None = None
    reasons: int = 3
    folds: int = 5
    most_choice_rows: int = 20_000
    most_fit_rows: int = 100_000

    def __post_init__(self) -> None:
        """Refuse impossible parameters, naming them."""
        for name, choices in (
            ("churn_labels", get_args(LabelSource)),
            ("value_labels", get_args(LabelSource)),
            ("churn_definition", get_args(ChurnDefinition)),
        ):
            if getattr(self, name) not in choices:
                raise UnknownNameError(name, getattr(self, name), choices)
        if self.horizon_days < 1:
            raise InputError(f"horizon_days = {self.horizon_days}: use at least 1")
        if not 3 <= self.folds <= 20:  # calibration needs a third fold: neither predicted nor learned from
            raise InputError(f"folds = {self.folds}: use 3 to 20")
        if self.rhythm_factor < 0:
            raise InputError(f"rhythm_factor = {self.rhythm_factor}: use 0 or more")
        if min(self.most_choice_rows, self.most_fit_rows) < 100:
            raise InputError("most_choice_rows and most_fit_rows: use at least 100")
        if self.reasons < 0:
            raise InputError(f"reasons = {self.reasons}: use 0 or more")
