"""Anybody's tables come in by a declaration; a mistake names the file, the line or column, and the fix."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from dealwright.errors import InputError
from dealwright.intake.accounts import load_table, read_plan_inputs
from dealwright.intake.declaration import read_declaration
from dealwright.plan.quality import QualityParams, check
from dealwright.report.schema_text import schema_toml
from dealwright.schemas import ORDER_COLUMNS
from dealwright.world.barcelona import BarcelonaParams, generate

SCHEMA = """
as_of = 2026-06-30
[accounts]
id = "number"
latitude = "y"
longitude = "x"
numeric = ["spend"]
categorical = ["tier", "trade"]
dates = ["since"]
dates_ahead = ["contract_end"]
preferred_channel = "likes"
categories = { tier = ["gold", "silver"] }
[accounts.labels]
churned = { column = "left", is = "Y" }
[accounts.consent]
outbound_cc = "may_call"
[accounts.roles]
tier = "tier"
name = "company"
[accounts.known_from]
trade = "always"
tier = 2025-01-01
[orders]
account_id = "customer"
ordered_at = "day"
amount_eur = "sum"
[touches]
account_id = "customer"
touched_at = "day"
channels = { Phone = "outbound_cc" }
"""
CSV = """number,company,y,x,spend,tier,trade,since,contract_end,likes,left,may_call
1,Puig,41.4,2.1,12.5,gold,food,2020-01-01,2027-01-01,field,Y,yes
2,"Roca, Serra",41.5,2.2,,silver,steel,2021-01-01,2026-09-01,,N,no
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "schema.toml").write_text(SCHEMA)
    (tmp_path / "accounts.csv").write_text(CSV)
    (tmp_path / "orders.csv").write_text("customer,day,sum\n1,2026-01-05,10\n2,2026-02-05,20.5\n")
    (tmp_path / "touches.csv").write_text(
        "customer,day,channel,action,response\n1,2026-03-01,Phone,retention_call,yes\n"
    )
    return tmp_path


def test_a_declared_csv_becomes_typed_inputs(folder: Path) -> None:
    inputs = read_plan_inputs(
        folder / "accounts.csv", schema=folder / "schema.toml", orders=folder / "orders.csv",
        touches=str(folder / "touches.csv"),
    )  # fmt: skip
    clean = check(inputs, QualityParams()).inputs
    assert clean.as_of == datetime(2026, 6, 30)
    row = clean.accounts.row(0, named=True)
    assert row["account_id"] == "1"
    assert (row["lat_deg"], row["spend"], row["churned"], row["consent_outbound_cc"]) == (
        41.4,
        12.5,
        True,
        True,
    )
    assert clean.accounts["company"].to_list() == ["Puig", "Roca, Serra"]
    assert clean.accounts["spend"].null_count() == 1
    assert clean.schema.known_from == {"trade": "always", "tier": datetime(2025, 1, 1)}
    assert clean.schema.categorical["tier"] == ("gold", "silver")
    assert clean.orders is not None
    assert {name: clean.orders.schema[name] for name in ORDER_COLUMNS} == ORDER_COLUMNS
    assert clean.touches is not None
    assert clean.touches["channel"].to_list() == ["outbound_cc"]


def test_pandas_pyarrow_like_and_lazy_frames_are_taken(folder: Path) -> None:
    table = pl.read_csv(folder / "accounts.csv")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({name: table[name].to_list() for name in table.columns})
    from_pandas = read_plan_inputs(frame, schema=folder / "schema.toml")
    assert check(from_pandas, QualityParams()).inputs.accounts["account_id"].to_list() == ["1", "2"]
    assert load_table(table.lazy(), "accounts").equals(table)
    with pytest.raises(InputError, match="accounts: a list is no dataframe"):
        load_table([1, 2], "accounts")


def test_without_a_declaration_canonical_names_and_types_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "account_id,lat_deg,lon_deg,spend,tier,since,note,churned,consent_field\n"
        + "".join(
            f"{k},41.4,2.1,{k}.5,{'ab'[k % 2]},2020-01-0{1 + k % 9},free text {k},{k % 2},1\n"
            for k in range(80)
        )
    )
    inputs = read_plan_inputs(tmp_path / "a.csv", as_of=datetime(2026, 1, 1))
    schema = inputs.schema
    assert (schema.numeric, tuple(schema.categorical), schema.dates) == (("spend",), ("tier",), ("since",))
    assert schema.has_position
    assert schema.has_churn_label
    assert schema.consent == ("field",)
    assert check(inputs, QualityParams()).inputs.accounts["churned"].sum() == 40


def test_the_cut_off_is_the_day_after_the_latest_order_that_is_not_in_the_future(folder: Path) -> None:
    (folder / "late.csv").write_text("account_id,ordered_at,amount_eur\n1,2026-01-05,10\n1,2999-01-01,10\n")
    accounts = pl.DataFrame({"account_id": ["1"]})
    assert read_plan_inputs(accounts, orders=folder / "late.csv").as_of == datetime(2026, 1, 6)


def test_blank_separated_text_without_header(tmp_path: Path) -> None:
    (tmp_path / "o.txt").write_text(" 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n")
    frame = load_table(
        tmp_path / "o.txt", "orders", "whitespace", ("account_id", "ordered_at", "cds", "amount_eur")
    )
    assert frame.row(1) == ("00002", "19970112", "1", "12.00")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no file .*none.csv; check the path"),
        ("a.xlsx", b"x", "unknown ending '.xlsx'"),
        ("a.csv", b"", "a.csv is empty"),
        (
            "a.csv",
            b"number,b\n1,2\n3\n4,5,6\n",
            r"a.csv, line 3: 1 fields where the header has 2 \(and 1 more lines\)",
        ),
        ("a.csv", b"number,number\n1,2\n", "line 1: the column 'number' appears more than once"),
        ("a.csv", b"numbr,b\n1,2\n", "unknown column 'number': did you mean 'numbr'"),
        ("a.parquet", b"no parquet", "cannot read a.parquet"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    folder: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_plan_inputs(folder / name, schema=folder / "schema.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "number"', "", "must say which column is the id"),
        ('latitude = "y"', "", "both latitude and longitude"),
        ('numeric = ["spend"]', 'numeric = "spend"', "write a list of texts"),
        ('numeric = ["spend"]', 'numeric = ["spend", "tier"]', "declares the column 'tier' twice"),
        ('numeric = ["spend"]', 'numeric = ["spend", "left"]', "is the label churned and also a feature"),
        ("[accounts.roles]", "[accounts.rolls]", "did you mean 'roles'"),
        ('name = "company"', 'nmae = "company"', "did you mean 'name'"),
        ('trade = "always"', 'company = "always"', "unknown feature 'company'"),
        ('is = "Y"', 'is = "gone"', "no row has left = 'gone'.*'N', 'Y'"),
        ("as_of = 2026-06-30", 'as_of = "soon"', "write a date without quotes"),
        ("[orders]", "[order]", "did you mean 'orders'"),
        ("[accounts]", "[accounts", "not valid TOML"),
        ('outbound_cc = "may_call"', 'telepathy = "may_call"', "'telepathy'"),
    ],
)
def test_a_wrong_declaration_says_what_to_change(folder: Path, old: str, new: str, message: str) -> None:
    assert old in SCHEMA
    (folder / "schema.toml").write_text(SCHEMA.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_plan_inputs(folder / "accounts.csv", schema=folder / "schema.toml")


def test_the_declaration_of_a_world_reads_back_the_same(tmp_path: Path) -> None:
    world = generate(BarcelonaParams(n=150), seed=1)
    (tmp_path / "schema.toml").write_text(schema_toml(world.inputs.schema))
    world.inputs.accounts.write_parquet(tmp_path / "accounts.parquet")
    again = read_plan_inputs(
        tmp_path / "accounts.parquet", schema=tmp_path / "schema.toml", as_of=world.inputs.as_of
    )
    assert again.schema == world.inputs.schema
    assert again.accounts.select(world.inputs.accounts.columns).equals(world.inputs.accounts)
    assert read_declaration(tmp_path / "schema.toml").id == "account_id"


def test_somebody_elses_customers_by_a_declaration_only(shared: Path) -> None:
    schema = Path(__file__).parents[2] / "examples" / "telco.toml"
    inputs = read_plan_inputs(shared / "data" / "telco" / "telco_customer_churn.csv", schema=schema)
    quality = check(inputs, QualityParams())
    assert quality.inputs.accounts.height == 7043
    assert quality.inputs.accounts["TotalCharges"].null_count() == 11  # blank for new customers
    assert quality.inputs.accounts["churned"].sum() == 1869
