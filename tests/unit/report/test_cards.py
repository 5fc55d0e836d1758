"""Cards: what was decided for an account, why, and why not something else, in the words of a person."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from unpacking import unpacked

from dealwright.cli.main import main
from dealwright.errors import NotFoundError
from dealwright.report import accounts_page
from dealwright.report.accounts_page import shards_of, write_accounts
from dealwright.report.cards import card_frame, card_of, find_account, layout, write_card
from dealwright.report.comparison import HISTORY_COLUMNS
from dealwright.report.format import Format
from dealwright.report.people import PEOPLE_COLUMNS
from dealwright.runs.reading import read_run

NASTY = "</script><script>alert(1)</script>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a run of three accounts: one is visited, one waits, of one nothing is known."""
    none = [None] * 3
    pl.DataFrame(
        {
            "account_id": ["A1", "B 2", "<C>"], "account_name": ["Tallers Vidal", "Hotel Mar", NASTY],
            "segment": ["Grow", "Protect", None], "action": ["visit", "retention_call", "nothing"],
            "channel": ["field", None, None], "waiting_for": [None, "outbound_cc", None],
            "territory": ["T1", "T1", None], "rep_id": ["R1", "R1", None],
            "churn_probability": [0.05, 0.4, None], "predicted_value_eur": [1234.5, 10.0, None],
            "expected_value_eur": [135.04, 20.5, 0.0], "cost_eur": [45.0, 0.0, 0.0],
            "response_probability": [0.254, 0.3, None], "untouched_probability": [0.11, 0.1, None],
            "response_value_eur": [1250.3, 100.0, None], "runner_up": ["upsell", None, None],
            "runner_up_value_eur": [40.89, None, None], "wait_rank": [None, 3, None],
            "expected_wait_days": [None, 1.5, None], "visit_rep_id": ["R1", None, None],
            "visit_at": [datetime(2026, 7, 1, 11, 14, 18), None, None], "is_anomaly": [False, False, True],
            "reasons": [
                ["answers 25.4 % with it: 135.04 EUR expected", "runner-up: upsell (40.89 EUR)"],
                [], ["in the control group: never contacted"],
            ],
            "churn_reasons": [["days since last order 3: odds of leaving ×0.079"], [], []],
            "value_reasons": [["lifetime_value_eur 54600.0: spend ×1.2"], [], []],
            "anomaly_reasons": [[], [], ["no order for 125 days, usually every 14 days"]],
            "excluded": [
                ["retention_call: needs churn_probability >= 0.2", "upsell: 41 EUR by outbound_cc",
                 "cross_sell: -4.8 EUR by field"], ["visit: no consent to field"], [],
            ],
            "wait_reason": [None, "outbound_cc is full: place 3 in its queue", None],
            "visit_note": none, "anomaly_score": [0.1, 0.2, 0.9],
        }, schema_overrides={"visit_note": pl.String},
    ).write_parquet(tmp_path / "accounts.parquet")  # fmt: skip
    pl.DataFrame({
        "channel": ["field", "outbound_cc"], "demand": [1, 1], "capacity": [1, 0], "scheduled": [1, 0],
        "backlog": [0, 1], "price_eur": [0.0, 61.99], "sla_min": [1.0, 1.0], "sla_met": [True, False],
    }).write_parquet(tmp_path / "channels.parquet")  # fmt: skip
    people = [("R1", "Laia", "field", 1)]
    pl.DataFrame(people, schema=PEOPLE_COLUMNS, orient="row").write_parquet(tmp_path / "people.parquet")
    events = [
        ("A1", datetime(2026, 6, 26), "order", None, None, None, 249.64),
        ("A1", datetime(2026, 6, 7), "contact", "outbound_cc", "retention_call", True, None),
    ]
    history = pl.DataFrame(events, schema=HISTORY_COLUMNS, orient="row")
    history.write_parquet(tmp_path / "account_history.parquet")
    bins = [
        {"until": 0.1, "rows": 70, "share": 0.03, "low": 0.01, "high": 0.07},
        {"until": 0.9, "rows": 70, "share": 0.5, "low": 0.4, "high": 0.6},
    ]
    (tmp_path / "model_card.json").write_text(json.dumps({"churn": {"reliability": bins}}))
    (tmp_path / "kpis.json").write_text('{"kpis": []}')
    (tmp_path / "params.toml").write_text("[run]\nas_of = 2026-06-30T00:00:00\n")
    (tmp_path / "trace.jsonl").write_text("")
    (tmp_path / "briefs").mkdir()
    (tmp_path / "briefs" / "R1-2026-07-01.html").write_text("")
    return tmp_path


def card_lines(folder: Path, account_id: str) -> dict[str, list[str]]:
    """Return words -> what stands beside them, as the terminal writes it."""
    run = read_run(folder)
    found: dict[str, list[str]] = {}
    for _, lines in write_card(card_of(run, account_id), run):
        for label, text in lines:
            found.setdefault(label, []).append(text)
    return found


def test_a_visit_says_who_when_what_it_brings_and_why(folder: Path) -> None:
    card = card_lines(folder, "A1")
    assert card["Action"] == ["visit"]
    assert card["State"] == ["scheduled"]
    assert card["Who"] == ["Laia"]
    assert card["When"] == ["1 Jul 2026, 11:14"]
    assert card["Expected gain"] == ["€135.04"]
    assert card["Answer with the contact"] == ["25.4%"]
    assert card["Would buy without it"] == ["11.0%"]
    assert card["Runner-up"] == ["upsell"]
    assert card["Expected spend in the horizon"] == ["€1,234"]
    assert card["Probability of leaving"] == ["5%; of similar accounts 1% to 7% left"]
    assert card["What moves the probability of leaving"] == [
        "days since the last order 3: leaving is much less likely"
    ]
    assert card["What moves the expected spend"] == ["lifetime value 54,600: expected spend ×1.2"]
    assert card["Other actions"] == [
        "retention call; needs: churn probability at least 20%",
        "upsell: €41; brings less (call)",
        "cross-sell: -€5; costs more than it brings (visit)",
    ]
    assert card["Orders and contacts"] == [
        "26 Jun 2026: order, €249.64", "7 Jun 2026: call (retention call), answered",
    ]  # fmt: skip
    assert "Why" not in card  # it is told by the figures
    assert "One more place on this channel is worth" not in card  # it is worth nothing


def test_who_waits_is_told_for_what_and_why(folder: Path) -> None:
    card = card_lines(folder, "B 2")
    assert card["State"] == ["waits"]
    assert card["Channel"] == ["call"]
    assert card["Place in the queue"] == ["3"]
    assert card["Expected wait, days"] == ["1.5"]
    assert card["One more place on this channel is worth"] == ["€61.99"]
    assert card["What stands in the way"] == ["call is full: place 3 in its queue"]
    assert card["Probability of leaving"] == ["40%; of similar accounts 40% to 60% left"]
    assert card["Other actions"] == ["visit; no consent to visit"]
    assert "Cost of the contact" not in card


def test_what_is_not_known_says_so(folder: Path) -> None:
    card = card_lines(folder, "<C>")
    assert card["Action"] == ["no action"]
    assert (
        card["Segment"]
        == card["Probability of leaving"]
        == card["Expected spend in the horizon"]
        == ["not known"]
    )
    assert card["What is unusual"] == ["no order for 125 days, usually every 14 days"]
    assert card["Why"] == ["in the control group: never contacted"]
    assert "Territory" not in card


def test_a_card_leads_to_the_files_of_the_day(folder: Path) -> None:
    cards = card_frame(read_run(folder))
    assert cards["links"].to_list() == [["briefs/R1-2026-07-01.html"], None, None]


def test_the_pages_files_hold_every_card_once(folder: Path) -> None:
    write_accounts(read_run(folder), folder)
    cards = unpacked(folder / "accounts" / "0.js")
    assert [card["account_id"] for card in cards] == ["A1", "B 2", "<C>"]
    assert cards[0]["expected_value_eur"] == 135.04
    assert (cards[0]["churn_low"], cards[0]["churn_high"]) == (0.01, 0.07)
    index = unpacked(folder / "accounts" / "index.js")
    assert index["id"] == ["A1", "B 2", "<C>"]
    assert index["action"] == {"words": ["nothing", "retention_call", "visit"], "of": [2, 1, 0]}
    assert index["state"]["words"] == ["none", "scheduled", "waits"]
    assert index["segment"]["of"] == [0, 1, -1]
    again = (folder / "accounts" / "0.js").read_bytes()
    write_accounts(read_run(folder), folder)
    assert (folder / "accounts" / "0.js").read_bytes() == again


def test_nothing_of_the_data_can_leave_the_script(folder: Path) -> None:
    people = pl.DataFrame([("R1", NASTY, "field", 1)], schema=PEOPLE_COLUMNS, orient="row")
    people.write_parquet(folder / "people.parquet")
    write_accounts(read_run(folder), folder)
    page = (folder / "accounts.html").read_text()
    assert "alert(1)" in page
    assert page.count("</script>") == 1
    assert page.count("<script>") == 1


def test_many_accounts_are_spread_over_files_as_the_page_counts(folder: Path) -> None:
    accounts = pl.read_parquet(folder / "accounts.parquet")
    many = pl.concat(
        [accounts.with_columns(account_id=pl.format("{}-ü{}", "account_id", pl.lit(k))) for k in range(800)]
    )
    many.write_parquet(folder / "accounts.parquet")
    write_accounts(read_run(folder), folder)
    files = sorted((folder / "accounts").glob("[0-9]*.js"))
    assert len(files) == 3
    for path in files:
        for card in unpacked(path):
            assert shards_of(pl.Series([card["account_id"]]), 3).tolist() == [int(path.stem)]
    # FNV-1a has published values
    assert shards_of(pl.Series(["", "a", "foobar"]), 2**32).tolist() == [0x811C9DC5, 0xE40C292C, 0xBF9CF968]


def test_many_files_are_written_a_few_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_page, "_CARDS_A_FILE", 1)
    written = []
    for at_once in (100, 2):
        monkeypatch.setattr(accounts_page, "_FILES_AT_A_TIME", at_once)
        write_accounts(read_run(folder), folder)
        written.append({path.name: path.read_bytes() for path in (folder / "accounts").glob("*.js")})
    assert written[0] == written[1]
    cards = [
        card for name in written[1] if name != "index.js" for card in unpacked(folder / "accounts" / name)
    ]
    assert sorted(card["account_id"] for card in cards) == ["<C>", "A1", "B 2"]
    assert [card["events"] is None for card in sorted(cards, key=lambda card: card["account_id"])] == [
        True, False, True,
    ]  # fmt: skip


def test_of_many_accounts_what_is_long_is_read_for_some_files_at_a_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same files come out, with what is told of the accounts in memory or on the disk only."""
    briefs = {"account_id": ["B 2", "A1", "B 2"], "html": ["<p>1</p>", "<p>2</p>", "<p>3</p>"]}
    pl.DataFrame(briefs).write_parquet(folder / "briefs.parquet")
    monkeypatch.setattr(accounts_page, "_CARDS_A_FILE", 1)
    monkeypatch.setattr(accounts_page, "_FILES_AT_A_TIME", 1)
    written = []
    for most, a_group in ((100, 100), (2, 1), (2, 2)):
        monkeypatch.setattr(accounts_page, "_WHOLE_ACCOUNTS", most)
        monkeypatch.setattr(accounts_page, "_FILES_A_GROUP", a_group)
        run = read_run(folder, events=most > 3)
        if most < 3:
            run = replace(
                run, accounts=run.accounts.drop("reasons", "churn_reasons", "value_reasons", "excluded")
            )
        write_accounts(run, folder)
        written.append({path.name: path.read_bytes() for path in (folder / "accounts").glob("*.js")})
    assert written[0] == written[1] == written[2]
    cards = [
        card for name in written[1] if name != "index.js" for card in unpacked(folder / "accounts" / name)
    ]
    assert {card["account_id"]: card["brief"] for card in cards} == {
        "A1": "<p>2</p>", "B 2": "<p>1</p><p>3</p>", "<C>": None,
    }  # fmt: skip


def test_of_very_many_accounts_the_page_lists_those_that_bring_most_and_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_accounts(read_run(folder), folder)
    assert "Listed and searched" not in (folder / "accounts.html").read_text()
    monkeypatch.setattr(accounts_page, "MOST_LISTED", 2)
    write_accounts(read_run(folder), folder)
    assert unpacked(folder / "accounts" / "index.js")["id"] == ["A1", "B 2"]
    assert [card["account_id"] for card in unpacked(folder / "accounts" / "0.js")] == ["A1", "B 2", "<C>"]
    assert "3 accounts: what was decided" in (folder / "accounts.html").read_text()
    assert "Listed and searched are the 2 that bring most" in (folder / "accounts.html").read_text()


def test_an_account_is_found_by_id_by_name_and_by_what_is_near(folder: Path) -> None:
    accounts = pl.read_parquet(folder / "accounts.parquet")
    assert find_account(accounts, "A1") == "A1"
    assert find_account(accounts, "hotel mar") == "B 2"
    with pytest.raises(
        NotFoundError, match=r"no account 'Tallers' in this run: did you mean A1 \(Tallers Vidal\)\?"
    ):
        find_account(accounts, "Tallers")
    with pytest.raises(NotFoundError, match=r"did you mean A1\?"):
        find_account(accounts, "A2")
    with pytest.raises(NotFoundError, match="did you mean A1"):  # a digit too many
        find_account(accounts, "A12")
    with pytest.raises(NotFoundError, match="name an id"):
        find_account(accounts, "something else entirely")
    alike = pl.DataFrame({"account_id": ["D", "E"], "account_name": ["Hotel Mar", "hotel mar"]})
    with pytest.raises(NotFoundError, match="2 accounts are called 'Hotel Mar': name one by its id: D, E"):
        find_account(alike, "Hotel Mar")


def test_the_command_says_what_the_card_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["why", "A1", "--run", str(folder)])
    assert left.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("Tallers Vidal (A1) What is planned Action visit")
    assert "Probability of leaving 5%; of similar accounts 1% to 7% left" in said
    with pytest.raises(SystemExit):
        main(["why", "hotel mar", "--run", str(folder), "--json"])
    card = json.loads(capsys.readouterr().out)
    assert card["account_id"] == "B 2"
    assert card["obstacles"] == ["call is full: place 3 in its queue"]
    with pytest.raises(SystemExit) as left:
        main(["why", "A2", "--run", str(folder)])
    assert left.value.code == 2
    assert "did you mean A1" in capsys.readouterr().err


def test_a_card_speaks_the_runs_language(folder: Path) -> None:
    with (folder / "params.toml").open("a") as file:
        file.write('[report]\nlocale = "es_ES"\ncurrency = "USD"\n')
    card = card_lines(folder, "A1")
    assert card["Ganancia esperada"] == ["135,04\u00a0US$"]
    assert (
        card["Otras acciones"][0]
        == "llamada de retención; requiere: probabilidad de abandono, al menos 20\u00a0%"
    )


def test_every_row_of_the_layout_is_a_column_of_the_cards(folder: Path) -> None:
    known = set(card_frame(read_run(folder)).columns)
    for section in layout(Format()):
        assert {row["field"] for row in section["rows"]} <= known


def test_a_batch_of_cards_is_given_the_rows_of_its_accounts_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounts_page, "_FILES_AT_A_TIME", 5)
    ids = [f"{k:03}" for k in range(40)]
    table = pl.DataFrame(
        {"account_id": [ids[k * 7 % 40] for k in range(90)], "number": list(range(90))},
        schema={"account_id": pl.String, "number": pl.Int64},
    )
    files = 12  # batches of five files: three, the last one smaller
    batches = accounts_page._Batches.of(table, files)
    of = accounts_page.shards_of(table["account_id"], files) // accounts_page._FILES_AT_A_TIME
    for batch in range(3):
        expected = table.filter(pl.Series(of) == batch)
        assert not expected.is_empty()
        assert batches.rows_of(batch).equals(expected)
    assert accounts_page._Batches.of(table.clear(), files).rows_of(2).is_empty()
