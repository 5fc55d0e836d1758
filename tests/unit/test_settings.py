"""Settings: defaults, file, environment, options; the later one wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from dealwright.errors import InputError
from dealwright.settings import Settings, load_settings


def test_the_later_one_wins(tmp_path: Path) -> None:
    (tmp_path / "dealwright.toml").write_text(
        'database_url = "postgresql://file"\nhome = "h"\npictures = "drawn"\n'
    )
    found = load_settings(environment={}, directory=tmp_path)
    assert found == Settings("postgresql://file", tmp_path / "h", tmp_path / "drawn", Path("rejected"))
    environment = {"DATABASE_URL": "postgresql://environment", "DEALWRIGHT_HOME": "/e"}
    found = load_settings(environment=environment, directory=tmp_path)
    assert (found.database_url, found.home) == ("postgresql://environment", Path("/e"))
    found = load_settings(database_url="postgresql://option", environment=environment, directory=tmp_path)
    assert found.database_url == "postgresql://option"
    found = load_settings(home=Path("/o"), environment=environment, directory=tmp_path)
    assert (found.database_url, found.home) == (None, Path("/o"))


def test_a_replica_goes_with_the_database_that_is_named_beside_it(tmp_path: Path) -> None:
    (tmp_path / "dealwright.toml").write_text(
        'database_url = "pg://file"\ndatabase_url_read = "pg://file-2"\n'
    )
    read: dict[str, str | None] = {}
    for name, environment in {
        "file": {},
        "other database": {"DATABASE_URL": "pg://environment"},
        "both": {"DATABASE_URL": "pg://environment", "DATABASE_URL_READ": "pg://environment-2"},
        "replica": {"DATABASE_URL_READ": "pg://environment-2"},
    }.items():
        read[name] = load_settings(environment=environment, directory=tmp_path).database_url_read
    assert read == {
        "file": "pg://file-2",
        "other database": None,
        "both": "pg://environment-2",
        "replica": "pg://environment-2",
    }
    environment = {"DATABASE_URL_READ": "pg://environment-2"}
    found = load_settings(database_url="pg://option", environment=environment, directory=tmp_path)
    assert (found.database_url, found.database_url_read) == ("pg://option", None)
    found = load_settings(home=Path("/o"), environment=environment, directory=tmp_path)
    assert (found.database_url, found.database_url_read) == (None, None)


def test_the_archive_is_in_the_home_unless_it_is_named(tmp_path: Path) -> None:
    assert load_settings(home=Path("/o"), environment={}, directory=tmp_path).archive_folder == Path(
        "/o/archive"
    )
    environment = {"DEALWRIGHT_ARCHIVE": "/mnt/old"}
    found = load_settings(home=Path("/o"), environment=environment, directory=tmp_path)
    assert found.archive_folder == Path("/mnt/old")


def test_a_blank_address_is_none(tmp_path: Path) -> None:
    assert load_settings(environment={"DATABASE_URL": "  "}, directory=tmp_path).database_url is None


def test_without_anything(tmp_path: Path) -> None:
    assert load_settings(environment={}, directory=tmp_path) == Settings()


def test_a_file_named_by_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text('rejected = "aside"')
    found = load_settings(environment={"DEALWRIGHT_CONFIG": str(path)}, directory=Path("/"))
    assert found.rejected == tmp_path / "aside"
    with pytest.raises(InputError, match="does not exist"):
        load_settings(environment={"DEALWRIGHT_CONFIG": str(tmp_path / "no.toml")})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('hom = "x"', "hom: unknown key 'hom': did you mean 'home'?"),
        ("home = 3", "home = 3: write a text in quotes"),
        ("home = ''", "home = '': write a text in quotes that is not empty"),
        ("home = ", "not valid TOML"),
    ],
)
def test_mistakes_name_the_file(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "dealwright.toml").write_text(content)
    with pytest.raises(InputError, match=r"dealwright\.toml") as error:
        load_settings(environment={}, directory=tmp_path)
    assert message in str(error.value)
