"""Every frame that crosses a boundary between the parts: columns, types, units, ranges."""

from __future__ import annotations
