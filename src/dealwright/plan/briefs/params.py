"""Parameters of the stage *brief*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class BriefParams:
    """How briefs are worded.

    Attributes
    ----------
    language
        ``en`` or ``es``.
    wording
        The company's own wording: file name (``visit.md``) -> its text, in the place of the package's file of
        that name.
    currency
        ISO code of what amounts are in; a run takes that of its report.
    """

    language: str = "en"
    wording: Mapping[str, str] = field(default_factory=dict)
    currency: str = "EUR"
