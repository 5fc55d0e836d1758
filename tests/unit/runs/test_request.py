"""A request: what is given counts more than a parameter file, and the file of a run repeats it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.params import PlanParams
from dealwright.runs.request import RUN_KEYS, NightRequest, read_request
from dealwright.toml import to_toml

OUT = Path("run")


def write(folder: Path, text: str) -> Path:
    path = folder / "params.toml"
    path.write_text(text)
    return path


def test_nothing_given_is_a_night_with_the_defaults() -> None:
    assert read_request(OUT, {"seed": None, "world": None}) == NightRequest(OUT)
    assert NightRequest(OUT).table() == {"seed": 0}


def test_a_run_is_repeated_from_the_table_it_writes(tmp_path: Path) -> None:
    moment = datetime(2026, 6, 30, 8)
    first = NightRequest(
        OUT, directory="d", map="m.toml", as_of=moment, seed=4, force=True, models="kept", publish=True
    )
    assert first.table() == {
        "directory": "d", "map": "m.toml", "as_of": moment, "seed": 4, "force": True, "models": "kept",
        "touches_from_desk": True, "territories_from_desk": True,
    }  # fmt: skip
    assert list(first.table()) == [key for key in RUN_KEYS if key in first.table()]
    file = write(tmp_path, to_toml({"run": first.table(), **vars(PlanParams())}))
    again = read_request(OUT, {}, params=file)
    assert again.table() == first.table()
    assert not again.publish
    assert again.params == PlanParams()


def test_what_is_given_counts_more_than_the_file(tmp_path: Path) -> None:
    file = write(
        tmp_path, '[run]\nworld = "barcelona"\nn = 50\nseed = 3\nland = "l.json"\n[predict]\nfolds = 4'
    )
    same = read_request(OUT, {"seed": 7}, params=file)
    assert (same.world, same.n, same.seed, same.land, same.params.predict.folds) == (
        "barcelona", 50, 7, "l.json", 4
    )  # fmt: skip


def test_with_other_data_the_files_own_data_are_not_used(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        '[run]\ndirectory = "d"\norders = "o.csv"\nland = "l.json"\nas_of = 2026-01-01T00:00:00\nseed = 3\n'
        'models = "kept"\nosrm = "http://a"\ntiles = "none"\n',
    )
    other = read_request(OUT, {"accounts": "a.csv"}, params=file)
    assert other.table() == {
        "accounts": "a.csv", "seed": 3, "models": "kept", "osrm": "http://a", "tiles": "none",
    }  # fmt: skip
    # a road service that is given replaces the other one
    assert read_request(OUT, {"valhalla": "http://b"}, params=file).osrm is None
    assert read_request(OUT, {"valhalla": "http://b"}, params=file).directory == "d"


@pytest.mark.parametrize(
    ("written", "given", "expected"),
    [
        ("", {}, None),
        ("", {"publish": True}, True),
        ("", {"publish": True, "touches_from_desk": False}, False),
        ("touches_from_desk = true", {}, True),
        ("touches_from_desk = false", {"publish": True}, True),  # publishing asks for them
    ],
)
def test_who_publishes_counts_the_desks_touches(
    tmp_path: Path, written: str, given: dict[str, bool], expected: bool | None
) -> None:
    file = write(tmp_path, f"[run]\n{written}\n")
    assert read_request(OUT, given, params=file).touches_from_desk is expected


def test_a_synthetic_company_has_3200_accounts_unless_said(tmp_path: Path) -> None:
    assert NightRequest(OUT, world="barcelona").table() == {"world": "barcelona", "n": 3200, "seed": 0}
    assert NightRequest(OUT, world="barcelona", n=5).n == 5
    assert NightRequest(OUT).n is None
    with pytest.raises(InputError, match="--n is how many accounts a synthetic company has"):
        NightRequest(OUT, accounts="a.csv", n=5)


@pytest.mark.parametrize(
    "address", ["", "foo", "s:8786", "http://s:8786", "tcp://s", "tcp://s:x", "tcp://u:p@s:1"]
)
def test_what_is_no_address_of_a_scheduler_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="no address of a scheduler: write it as `dask scheduler` says it"):
        NightRequest(OUT, cluster=address)
    for good in ("tcp://s:8786", "tls://10.0.0.1:8786", "tcp://[::1]:8786"):
        assert NightRequest(OUT, cluster=good).cluster == good


def test_the_briefs_are_worded_as_asked(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "visit.md").write_text("## actions: To do\n- Smile.\n")
    request = read_request(OUT, {}, language="es", wording=tmp_path)
    assert request.params.brief.language == "es"
    assert list(request.params.brief.wording.values()) == ["## actions: To do\n- Smile.\n"]


def test_mistakes_name_the_file_and_the_key(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"params.toml \[run\].*'sead': did you mean 'seed'"):
        read_request(OUT, {}, params=write(tmp_path, "[run]\nsead = 1\n"))
    with pytest.raises(InputError, match="horizon_day"):
        read_request(OUT, {}, params=write(tmp_path, "[predict]\nhorizon_day = 1\n"))
    old = read_request(OUT, {}, params=write(tmp_path, '[run]\nschema = "m.toml"\n'))
    assert old.map == "m.toml"  # as it was called before


def test_one_language_and_one_currency_for_everything_people_read(tmp_path: Path) -> None:
    def spoken(**given: str) -> tuple[str, str, str, str]:
        params = read_request(OUT, {}, **given).params  # type: ignore[arg-type]
        assert params.brief.currency == params.report.currency
        return params.brief.language, params.report.locale, params.report.currency, params.report.company

    assert spoken() == ("en", "en_GB", "EUR", "")
    assert spoken(language="es") == ("es", "es_ES", "EUR", "")
    assert spoken(locale="es-ES", currency="usd") == ("es", "es_ES", "USD", "")
    assert spoken(locale="en_US", language="es", company="Acme") == ("es", "en_US", "EUR", "Acme")
    file = write(tmp_path, '[report]\nlocale = "es_ES"\ncurrency = "JPY"\ncompany = "Acme"\n')
    again = read_request(OUT, {}, params=file).params
    assert (again.report.locale, again.report.currency, again.report.company) == ("es_ES", "JPY", "Acme")
    assert again.brief.currency == "JPY"
    for wrong in ({"currency": "EURO"}, {"locale": "xx_YY"}, {"locale": "de_DE"}):
        with pytest.raises(InputError):
            read_request(OUT, {}, **wrong)  # type: ignore[arg-type]


def test_where_a_cluster_finds_its_data_needs_a_cluster() -> None:
    with pytest.raises(InputError, match="give --cluster as well"):
        NightRequest(OUT, cluster_data="shared")
    given = NightRequest(OUT, cluster="tcp://s:8786", cluster_data="shared")
    assert given.table() == {"seed": 0}  # where a night was computed does not matter to who repeats it
