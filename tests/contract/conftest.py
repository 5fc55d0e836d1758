"""Fixtures of these tests."""

from command_line import dealwright

__all__ = ["dealwright"]
