"""Numba's compiler with its on-disk cache, also where nothing can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile a function at its first call and keep the machine code for the next process.

    The cache lies beside the module, or in the user's cache directory where the installation is read-only.
    Where neither can be written (a container with a read-only root), the function is compiled anew in each
    process. The compiled code releases the interpreter's lock, so that threads run it side by side.
    """
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return numba.njit(nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]


def written_out(function: F) -> F:
    """Compile a function only as a part of those that call it: quicker for what is called in one place.

    It must not be called from uncompiled code, which would compile it once more.
    """
    return numba.njit(nogil=True, error_model="numpy", inline="always")(function)  # type: ignore[no-any-return]
