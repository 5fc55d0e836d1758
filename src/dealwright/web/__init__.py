"""The console: pages of the desk for people, in front of the same service that programs use."""

from dealwright.web.console import add_console

__all__ = ["add_console"]
