"""Every script in examples/ runs as it stands, and prints what it is there to show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))


def day_of_two(text: str) -> None:
    """Two representatives make at most ten visits each, near their homes."""
    found = re.search(r"(\d+) visits, (\d+) km", text)
    assert found is not None
    visits, km = map(int, found.groups())
    assert 10 <= visits <= 20
    assert 0 < km < 200
    assert {"Protect", "Automate", "Anna", "Bo"} <= set(re.findall(r"\w+", text))


CHECKS = {"four_stages.py": day_of_two}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_runs(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    CHECKS[script.name](done.stdout)
