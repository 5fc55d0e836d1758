"""No password in anything that is shown or written down; a path is a name, and nothing runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dealwright.cli import leads, main
from dealwright.desk import server
from dealwright.desk.database import hide_secrets, redact, without_password

SECRET = "tulip@47/11"
ENCODED = "tulip%4047%2F11"
URLS = [
    f"postgresql://anna:{ENCODED}@db.example.com/sales",
    f"postgresql://db.example.com/sales?user=anna&password={ENCODED}",
    f"host=db.example.com user=anna password={SECRET}",
    f"postgresql://anna:{SECRET}@db.example.com:x/sales",
    f"postgresql://anna:{SECRET}@db.example.com/sales",
    f"postgresql://anna@db.example.com/sales?sslpassword={ENCODED}",
    f"mysql://anna:{SECRET}@db.example.com/sales",
]


@pytest.mark.parametrize("url", URLS)
def test_a_secret_is_hidden_as_it_is_and_as_the_address_writes_it(url: str) -> None:
    for shown in (redact(url), without_password(url), hide_secrets(f"cannot use {url} for anna", url)):
        assert SECRET not in shown
        assert ENCODED not in shown
        assert "tulip" not in shown
    assert hide_secrets("a word", url) == "a word"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@/dealwright?host=%2Fhome%2Fx%2Fpostgres&port=5432",
        "postgresql://anna@db/sales?sslmode=require",
    ],
)
def test_an_address_without_a_password_is_given_whole(url: str) -> None:
    assert without_password(url) == url


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("way", ["option", "option=", "environment"])
def test_an_apology_and_its_log_hold_no_password(
    url: str, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(f"a fault at {url}")

    home = tmp_path / "homes" / "one"
    monkeypatch.setenv("DEALWRIGHT_HOME", str(home))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(leads, "open_desk", fail)
    arguments = {"option": ["--database-url", url], "option=": [f"--database-url={url}"], "environment": []}[
        way
    ]
    if way == "environment":
        monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SystemExit):
        main.main(["queue", *arguments, "--debug"])
    log = home / "log" / "dealwright.log"
    said = capsys.readouterr().err + log.read_text()
    assert "ZeroDivisionError: a fault at" in said
    assert "tulip" not in said
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.parent.stat().st_mode & 0o777 == home.stat().st_mode & 0o777 == 0o700


def test_a_new_home_is_private_and_an_old_one_becomes_so(tmp_path: Path) -> None:
    home = tmp_path / "homes" / "new"
    server._make_private(home)
    assert home.stat().st_mode & 0o777 == 0o700
    old = tmp_path / "old"
    (old / "postgres").mkdir(parents=True)
    old.chmod(0o755)
    server._make_private(old)
    assert old.stat().st_mode & 0o066 == 0
    other = tmp_path / "documents"  # holds no desk yet: somebody's own folder keeps its rights
    other.mkdir()
    other.chmod(0o755)
    server._make_private(other)
    assert other.stat().st_mode & 0o777 == 0o755
