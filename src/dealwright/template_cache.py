"""Where compiled templates are kept from one process to the next."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import BytecodeCache


def template_cache(folder: Path) -> BytecodeCache | None:
    """Keep compiled templates in a folder, as Python keeps its modules; nowhere if it cannot be written.

    Parameters
    ----------
    folder
        Of the package whose templates they are: they go into its ``__pycache__``.
    """
    from jinja2 import FileSystemBytecodeCache

    place = folder / "__pycache__"
    try:
        place.mkdir(exist_ok=True)
    except OSError:
        return None
    return FileSystemBytecodeCache(str(place)) if os.access(place, os.W_OK) else None
