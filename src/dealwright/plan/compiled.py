"""Numba's compiler with its on-disk cache, also where nothing can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba
from numba.extending import register_jitable

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile a function at its first call and keep the machine code for the next process.

    The cache lies beside the module, or in the user's cache directory where the installation is read-only.
    Where neither can be written (a container with a read-only root), the function is compiled anew in each
    process. The compiled code releases the interpreter's lock, so that threads run it side by side.
    """
    return _compiled(function)


def compiled_lean(function: F) -> F:
    """Compile a function that makes no array, without counting references to those it is given.

    It is quicker to compile, and runs faster.
    """
    return _compiled(function, _nrt=False)


def compiled_part(function: F) -> F:
    """Compile a lean function that only compiled functions call, without the code by which Python calls it.

    Of a function that takes many arrays, that code takes as long to compile as the function.
    """
    return _compiled(function, _nrt=False, no_cpython_wrapper=True)


def _compiled(function: F, **options: bool) -> F:
    options |= {"nogil": True, "no_cfunc_wrapper": True}
    try:
        compile_it = numba.njit(cache=True, error_model="numpy", **options)
        return cast(F, compile_it(function))
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return cast(F, numba.njit(error_model="numpy", **options)(function))


def compiled_or_not(function: F) -> F:
    """Compile a lean function only where compiled functions call it: Python runs it as it is written.

    For what Python seldom calls, that is quicker than compiling it for Python too.
    """
    register = register_jitable(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    return register(function)  # type: ignore[no-any-return]


def written_out(function: F) -> F:
    """Compile a lean function only as a part of those that call it: quicker for what is called in one place.

    It must not be called from uncompiled code, which would compile it once more.
    """
    return numba.njit(nogil=True, error_model="numpy", inline="always", _nrt=False)(function)  # type: ignore[no-any-return]
