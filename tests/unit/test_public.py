"""The public part is small and whole: every stage, its parameters, its result, and every error."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from pkgutil import iter_modules, walk_packages

import pytest

import dealwright
from dealwright.errors import DealwrightError

STAGES = sorted(
    item.name for item in iter_modules(importlib.import_module("dealwright.plan").__path__) if item.ispkg
)


def test_every_public_name_is_what_its_module_defines() -> None:
    for name in dealwright.__all__:
        assert getattr(dealwright, name) is not None
    assert set(dealwright.__all__) - {"__version__"} == set(dealwright._PUBLIC)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        dealwright.nonsense  # noqa: B018


def test_every_stage_with_its_parameters_and_result_is_public() -> None:
    assert STAGES == [
        "actions", "anomalies", "briefs", "channels", "prediction", "quality", "routing", "segments",
        "staffing", "territories",
    ]  # fmt: skip
    for stage in STAGES:
        package = importlib.import_module(f"dealwright.plan.{stage}")
        assert set(package.__all__) <= set(dealwright.__all__), stage
        assert any(name.endswith("Params") for name in package.__all__)
        for part in ("params", "stage"):
            importlib.import_module(f"dealwright.plan.{stage}.{part}")


def test_every_error_is_public() -> None:
    for item in walk_packages(dealwright.__path__, "dealwright."):
        importlib.import_module(item.name)
    found, left = set(), [DealwrightError]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if kind.__module__.startswith("dealwright.") and not kind.__name__.startswith("_"):
            found.add(kind)
    assert {getattr(dealwright, kind.__name__) for kind in found} == found


def test_importing_dealwright_loads_none_of_its_parts() -> None:
    code = "import dealwright, sys; print(sorted(m for m in sys.modules if m.startswith('dealwright.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_reference_names_every_public_object() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"(?m)^\.\. auto(?:class|function|exception):: dealwright\.(\w+)$", page)
    assert sorted(named) == sorted(set(dealwright.__all__) - {"__version__"})
