"""The changes of SQL that the mutation tool tries."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutation_tests import TESTS, noticing
from sql_mutants import sql_mutants

FUNCTION = """
-- a < b is a comment
create or replace function f(a integer default 1, b integer default null)
returns text language plpgsql stable as $$
begin
    {body}
end
$$;
comment on function f(integer, integer) is 'not 1 and not 2';
"""


def changed(source: str) -> list[str]:
    """Return what each change makes of the source, without what surrounds the body."""
    head, tail = FUNCTION.split("{body}")
    found = []
    for mutant in sql_mutants(source):
        content = source.encode()
        text = (content[: mutant.start] + mutant.new.encode() + content[mutant.end :]).decode()
        found.append(text.removeprefix(head).removesuffix(tail))
        assert source.splitlines()[mutant.line - 1].strip()
    return found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return 'a < 1 and not b';  -- a = 1", []),
        ("return a::numeric(14, 2);", []),
        ("return a <= -b;", ["return a < -b;", "return a <= b;"]),
        ("return x -> 'y' ->> 'z';", []),
        ("return 1.5 * a;", ["return 2.5 * a;", "return 1.5 / a;"]),
        ("return coalesce(a, f(b), 'ü');", ["return coalesce(a);"]),
        ("return 'ü' || least(a, b);", ["return 'ü' || greatest(a, b);"]),
        ("return a between b and c;", []),
        ("return a is null or b;", ["return a is not null or b;", "return a is null and b;"]),
        ("return a is not distinct from b;", ["return a is  distinct from b;"]),
        ("perform g(a);", ["null;"]),
        ("b := case when a then c else d end;", ["null;"]),
        ("if a then lock table t; end if;", ["if true then lock table t; end if;",
            "if false then lock table t; end if;", "if a then null; end if;"]),
        ("return (select count(*) from t order by a, b desc limit 1);", [
            "return (select count(*) from t order by a desc, b desc limit 1);",
            "return (select count(*) from t order by a, b asc limit 1);"]),
        ("perform from t for no key update skip locked;", [
            "null;", "perform from t ;", "perform from t for no key update ;"]),
    ],
)  # fmt: skip
def test_what_runs_is_changed_in_one_place(body: str, expected: list[str]) -> None:
    assert changed(FUNCTION.replace("{body}", body)) == expected


def test_of_views_and_triggers_only_query_and_condition_are_changed() -> None:
    view = "create or replace view v as select true as t;"
    assert changed(view) == [view.replace("true", "false")]
    trigger = (
        "create or replace trigger t before insert or update on a "
        "for each row when (old.b <> new.b) execute function f();"
    )
    assert changed(trigger) == [trigger.replace("<>", "=")]
    assert changed("grant select on a to b;\ncreate type t as (a numeric(14, 2));") == []


def test_the_tests_named_for_a_module_exist() -> None:
    root = Path(__file__).resolve().parents[2]
    for module, names in TESTS.items():
        assert sum(map(Path.is_file, _sources(root / "src" / "dealwright", module))) == 1, module
        for name in names:
            assert (root / name).exists(), f"{module}: there is no {name}"
    assert noticing(Path("src/dealwright/desk/sql/engine/fair.sql")) == TESTS["engine/fair"]
    assert noticing(Path("src/dealwright/desk/backup.py")) == (
        *TESTS["desk/backup"],
        "tests/unit/test_house.py",
    )
    assert noticing(Path("src/dealwright/wording.py")) == ()


def _sources(package: Path, module: str) -> tuple[Path, Path, Path]:
    return (
        package / f"{module}.py",
        package / "plan" / f"{module}.py",
        package / "desk" / "sql" / f"{module}.sql",
    )
