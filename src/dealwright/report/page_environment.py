"""Jinja's environment of all pages, with a quick way to the cells of a row."""

from __future__ import annotations

from typing import Any, Final

from jinja2 import Environment

_OF_DICT: Final = frozenset(dir(dict))


class PageEnvironment(Environment):
    """Looks ``row.name`` of a dict up as its key at once.

    Jinja asks for an attribute first, and the exception that says there is none takes longer than all else of
    a cell. What every dict has as an attribute, such as ``items``, stays that.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a key's value of a dict, else what Jinja finds."""
        if type(obj) is dict and attribute not in _OF_DICT:
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)
