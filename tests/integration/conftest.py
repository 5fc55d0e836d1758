"""Fixtures of this folder."""

from small_company import company, drawn

__all__ = ["company", "drawn"]
