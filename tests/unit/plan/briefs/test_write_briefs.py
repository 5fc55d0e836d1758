"""Briefs: five sections, every sentence rests on a field, nothing invented, nothing unescaped."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dealwright.errors import InputError
from dealwright.plan.briefs import BriefParams, Briefs, stage, write_briefs
from dealwright.plan.briefs import wording as words
from dealwright.plan.briefs.facts import collect_tasks, gather_facts
from dealwright.plan.briefs.language import filters
from dealwright.plan.briefs.stage import check_wording
from dealwright.plan.briefs.wording import LINES, SECTIONS, load_wording
from dealwright.report.brief_files import read_wording, write_brief_files
from dealwright.report.people import Person
from dealwright.schemas import ACTIONS, BRIEF_COLUMNS, CHANNELS, AccountSchema, PlanInputs
from dealwright.template_cache import template_cache

NOW = datetime(2026, 6, 30)


def inputs(name: str = "Bar Sol", csat: float | None = 2.0) -> PlanInputs:
    frame = pl.DataFrame(
        {"account_id": ["A", "B"], "name": [name, None], "csat": [csat, None]},
        schema={"account_id": pl.String, "name": pl.String, "csat": pl.Float64},
    )
    return PlanInputs(
        frame, AccountSchema(numeric=("csat",), roles={"name": "name", "csat": "csat"}), as_of=NOW
    )


def brief(
    given: PlanInputs, decisions: pl.DataFrame, params: BriefParams | None = None, **tables: Any
) -> Briefs:
    return write_briefs(given.accounts, decisions, params, schema=given.schema, as_of=given.as_of, **tables)


ACCOUNTS = pl.DataFrame(
    {
        "account_id": ["A", "B"],
        "action": ["visit", "retention_call"],
        "segment": ["Grow", "Protect"],
        "churn_probability": [0.1, None],
        "expected_value_eur": [1234.4, 5.0],
        "cost_eur": [45.0, 6.0],
        "consent_known": [False, None],
    }
)
VISITS = pl.DataFrame(
    {
        "rep_id": ["R/1"],
        "account_id": ["A"],
        "stop": [1],
        "start_at": [NOW],
        "leave_at": [NOW + timedelta(minutes=30)],
    }
)
CALLS = pl.DataFrame(
    {"rep_id": ["C"], "account_id": ["B"], "channel": ["outbound_cc"], "start_at": [NOW], "end_at": [NOW]}
)


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_action_and_channel_has_five_sections_of_sentences_that_rest_on_fields(language: str) -> None:
    known = gather_facts(collect_tasks(VISITS, CALLS), inputs(), ACCOUNTS).columns
    wording = load_wording(language, {}, known)
    for action in ACTIONS:
        for channel in CHANNELS:
            sentences = wording.sentences(action, channel)
            assert {s.section for s in sentences} == {*SECTIONS, *LINES}
            assert all(s.fields for s in sentences if s.section in SECTIONS)
    assert {f"{name}.md" for name in ACTIONS if name != "nothing"} < set(wording.files)


def test_both_languages_say_the_same() -> None:
    known = gather_facts(collect_tasks(VISITS, CALLS), inputs(), ACCOUNTS).columns
    english, spanish = (load_wording(language, {}, known) for language in ("en", "es"))
    assert set(english.files) == set(spanish.files)
    for name in english.files:
        assert [s.fields for s in english.files[name]] == [s.fields for s in spanish.files[name]]


def test_a_sentence_whose_field_is_missing_is_left_out() -> None:
    made = brief(inputs(), ACCOUNTS, visits=VISITS, calls=CALLS)
    visit, call = made.briefs.sort("account_id")["markdown"]
    assert made.briefs.schema == BRIEF_COLUMNS
    assert "€1,234" in visit
    assert "1 in 10 accounts like this one stop buying" in visit
    assert "satisfaction score is 2" in visit
    assert "stop buying" not in call
    assert "satisfaction" not in call
    assert "None" not in visit + call
    assert "nan" not in (visit + call).lower().split()
    assert "ask for it first" in visit  # consent is not known
    assert made.frame["has_brief"].to_list() == [True, True]


def test_the_lines_of_a_day_are_the_first_that_can_be_said() -> None:
    known = ACCOUNTS.with_columns(
        response_probability=pl.Series([0.43, None]), untouched_probability=pl.Series([0.06, None]),
        churn_probability=pl.Series([0.1, 0.43]),
    )  # fmt: skip
    visit, call = brief(inputs(), known, visits=VISITS, calls=CALLS).briefs.sort("account_id").to_dicts()
    assert visit["why"] == "Worth €1,234 after costs."
    assert visit["what"] == "Ask what has changed since their last order; leave with a dated next step."
    assert visit["careful"] == "Their consent is not on file: ask for it first."  # before the satisfaction
    assert visit["more"] == [
        "4 in 10 answer when they are approached like this, 1 in 17 order without it.",
        "Worth €1,234 after costs.",
    ]
    assert call["why"] == "4 in 10 accounts like this one stop buying."
    assert call["careful"] is None
    assert call["more"] == ["Worth €5 after costs."]
    agreed = known.with_columns(consent_known=True)
    visit = brief(inputs(), agreed, visits=VISITS).briefs.row(0, named=True)
    assert visit["careful"] == "Their last satisfaction score was 2: ask and listen first."


def test_a_line_stays_on_its_line_whatever_the_data_hold() -> None:
    wording = {"visit.md": "## why\n- {{ name }} & <co>.\n"}
    made = brief(inputs("Bar\nSol\x1f, \x1e"), ACCOUNTS, BriefParams(wording=wording), visits=VISITS)
    assert made.briefs["why"].to_list() == ["Bar Sol , & <co>."]
    assert made.briefs["what"].to_list() == ["Visit: agree on the next step and its date."]


@pytest.mark.parametrize(
    ("probability", "english", "spanish"),
    [
        (0.0, "fewer than 1 in 100", "menos de 1 de cada 100"),
        (0.012, "1 in 80", "1 de cada 80"),
        (0.06, "1 in 17", "1 de cada 17"),
        (0.094, "1 in 11", "1 de cada 11"),
        (0.096, "1 in 10", "1 de cada 10"),
        (0.25, "3 in 10", "3 de cada 10"),
        (0.43, "4 in 10", "4 de cada 10"),
        (0.94, "9 in 10", "9 de cada 10"),
        (1.0, "more than 9 in 10", "más de 9 de cada 10"),
    ],
)
def test_probabilities_are_counted_in_people(probability: float, english: str, spanish: str) -> None:
    assert filters("en", {})["in_ten"](probability) == english
    assert filters("es", {})["in_ten"](probability) == spanish


@pytest.mark.parametrize(
    ("start_at", "ago"),
    [
        (datetime(2026, 6, 30, 9), "1 day ago"),
        (datetime(2026, 7, 3, 8), "4 days ago"),
        (datetime(2026, 7, 3, 23), "4 days ago"),
    ],
)
def test_days_are_counted_to_the_day_of_the_visit(start_at: datetime, ago: str) -> None:
    orders = pl.DataFrame(
        {"account_id": ["A"], "ordered_at": [datetime(2026, 6, 29, 22)], "amount_eur": [10.0]}
    )
    visits = VISITS.with_columns(start_at=pl.lit(start_at), leave_at=pl.lit(start_at + timedelta(hours=1)))
    made = brief(inputs(), ACCOUNTS, visits=visits, orders=orders)
    assert f"Last order: 29 Jun 2026, {ago}." in made.briefs["markdown"][0]


def test_a_probability_just_below_one_is_not_written_as_certain() -> None:
    made = brief(inputs(), ACCOUNTS.with_columns(churn_probability=pl.lit(0.9956)), visits=VISITS)
    assert "more than 9 in 10 accounts like this one stop buying" in made.briefs["html"][0]


def test_data_cannot_become_markup_or_end_a_brief() -> None:
    hostile = "<script>alert(1)</script> *x* [a](b)\x1e{{ 7*7 }}\n## y"
    row = brief(inputs(hostile), ACCOUNTS, visits=VISITS, calls=CALLS).briefs.row(1, named=True)
    assert row["account_id"] == "A"
    assert "<script>" not in row["html"]
    assert "&lt;script&gt;" in row["html"]
    assert "49" not in row["html"]
    assert "\\*x\\* \\[a\\](b)" in row["markdown"]
    assert "\n## y" not in row["markdown"]
    assert "Compliance reminder" in row["html"]


def test_the_companys_wording_stands_in_place_of_the_packages() -> None:
    own = {"en/visit.md": "## actions: To do\n- Bring <samples> & smile for {{ account_id }}.\n"}
    row = brief(inputs(), ACCOUNTS, BriefParams(wording=own), visits=VISITS).briefs.row(0, named=True)
    assert "### To do\n\n- Bring <samples> & smile for A." in row["markdown"]
    assert "Bring &lt;samples&gt; &amp; smile for A." in row["html"]
    assert "dated next step" not in row["markdown"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("## actions\n- {{ csatt }}", "did you mean 'csat'"),
        ("## actions\n- {{ csat", "line 2"),
        ("## acts\n", "section"),
        ("hello", "line 1"),
        ("## actions\n- {{ csat|shout }}", "shout"),
        ("## actions\n- [when name > 3] {{ name }}", "cannot be written"),
    ],
)
def test_wording_that_cannot_be_used_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        brief(inputs(), ACCOUNTS, BriefParams(wording={"visit.md": text}), visits=VISITS)
    with pytest.raises(InputError, match="language"):
        check_wording(BriefParams(language="fr"))


def test_wording_is_checked_before_a_run_and_the_packages_own_is_fine() -> None:
    check_wording(BriefParams())
    check_wording(BriefParams("es"))
    with pytest.raises(InputError, match="line 2"):
        check_wording(BriefParams(wording={"visit.md": "## actions\n- {{ potential }}"}))


def test_no_task_no_brief_and_no_folder(tmp_path: Path) -> None:
    made = brief(inputs(), ACCOUNTS)
    assert made.briefs.is_empty()
    write_brief_files(made.briefs, tmp_path / "briefs", "en")
    assert not list((tmp_path / "briefs").iterdir())


def test_files_are_named_for_every_file_system(tmp_path: Path) -> None:
    write_brief_files(brief(inputs(), ACCOUNTS, visits=VISITS, calls=CALLS).briefs, tmp_path / "b", "en")
    names = sorted(path.name for path in (tmp_path / "b").iterdir())
    assert names == [
        "C-2026-06-30.html", "C-2026-06-30.md", "R_1-a74a1770-2026-06-30.html", "R_1-a74a1770-2026-06-30.md",
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "assets").iterdir()) == ["page.css", "page.js"]


def test_a_page_calls_people_by_their_names_and_leads_back_to_the_report(tmp_path: Path) -> None:
    made = brief(inputs(), ACCOUNTS, visits=VISITS, calls=CALLS).briefs
    ada = Person("C", "Ada <King>", "centre", 1)
    write_brief_files(
        made, tmp_path / "b", "es", company="Acme & Co", people={"C": ada}, files=["maps/routes.html"]
    )
    page = (tmp_path / "b" / "C-2026-06-30.html").read_text("utf-8")
    assert "<h1>Briefs of Ada &lt;King&gt;</h1>" in page
    assert "Acme &amp; Co" in page
    assert '<div lang="es"' in page
    assert 'href="../report.html"' in page
    assert 'href="../maps/routes.html"' in page
    part = made.filter(pl.col("rep_id") == "C")
    assert all(f'id="brief-{account}"' in page for account in part["account_id"])
    assert page.count('<li><a href="#brief-') == (part.height if part.height > 1 else 0)
    assert (tmp_path / "b" / "C-2026-06-30.md").read_text("utf-8").startswith("# Ada <King> · 2026-06-30\n")
    assert 'href="../assets/page.css"' in page  # the style of all pages lies beside them, once
    assert "data-fields" in "".join(part["html"])
    assert "data-fields" not in page


def test_the_example_of_the_documentation_works() -> None:
    text = (Path(__file__).parents[4] / "docs" / "briefs-and-report.md").read_text("utf-8")
    example = text.split("## Briefs in your own words")[1].split("```")[1]
    accounts = ACCOUNTS.with_columns(potential_eur=pl.lit(1500.0))
    made = brief(inputs(), accounts, BriefParams(wording={"visit.md": example}), visits=VISITS).briefs
    assert "Ask about the €1,500 they" in made["markdown"][0]
    assert "support tickets" not in made["markdown"][0]


def test_a_folder_of_wording_is_read_and_an_empty_one_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \*\.md file"):
        read_wording(tmp_path)
    (tmp_path / "es").mkdir()
    (tmp_path / "es" / "visit.md").write_text("## actions\n- Hola, {{ account_id }}.\n", encoding="utf-8")
    own = read_wording(tmp_path)
    spanish = brief(inputs(), ACCOUNTS, BriefParams("es", own), visits=VISITS).briefs["markdown"][0]
    english = brief(inputs(), ACCOUNTS, BriefParams("en", own), visits=VISITS).briefs["markdown"][0]
    assert "Hola, A." in spanish
    assert "Hola" not in english


def test_many_briefs_are_written_by_processes_and_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    given = inputs("<Bar> & *Sol*")
    here = brief(given, ACCOUNTS, visits=VISITS, calls=CALLS)
    monkeypatch.setattr(stage, "_MANY", 1)
    monkeypatch.setattr(stage, "_PART", 1)
    there = brief(given, ACCOUNTS, visits=VISITS, calls=CALLS)
    assert there.texts is not None
    assert_frame_equal(pl.concat(there.parts()), here.briefs)
    assert there.briefs.columns == [name for name in BRIEF_COLUMNS if name not in ("markdown", "html")]


def test_wording_that_is_sent_again_is_compiled_once() -> None:
    known = gather_facts(collect_tasks(VISITS, CALLS), inputs(), ACCOUNTS).columns
    wording = load_wording("en", {}, known)
    first, again = (pickle.loads(pickle.dumps(wording)) for _ in range(2))
    assert first == wording
    compiled = first.compile("visit", "field", "html")
    assert again.compile("visit", "field", "html") is compiled
    assert wording.compile("visit", "field", "html") is not compiled


def test_templates_are_kept_for_the_next_process_and_never_used_for_other_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A filter of what stands in the wording itself is worked out in the compiled template."""
    compiled: list[str] = []

    class Counting(words.SandboxedEnvironment):
        def compile(self, source: Any, *args: Any, **kwargs: Any) -> Any:
            compiled.append(source)
            return super().compile(source, *args, **kwargs)

    def said(text: str, currency: str = "EUR") -> str:
        """Say it as a new process would: what is in memory is forgotten."""
        found = load_wording("en", {"common.md": text}, ("name",), currency=currency)
        return str(found.compile("visit", "field", "html").render(rows=[("Bar Sol", None)]))

    monkeypatch.setattr(words, "SandboxedEnvironment", Counting)
    monkeypatch.setattr(words, "_kept_templates", lambda: template_cache(tmp_path))
    monkeypatch.setattr(words, "_package_files", lambda _: ())
    first = said("## context\n- {{ name }} for {{ 5|eur }}")
    assert "Bar Sol for €5" in first
    assert len(compiled) == 1
    assert said("## context\n- {{ name }} for {{ 5|eur }}") == first
    assert len(compiled) == 1, "the second process compiled it again"
    assert "Bar Sol for US$5" in said("## context\n- {{ name }} for {{ 5|eur }}", "USD")
    assert "Bar Sol and 5" in said("## context\n- {{ name }} and {{ 5|number }}")
    kinds = "## context\n- {{ name }}: {{ 'visit'|label }}\n## labels\n- visit = "
    assert "Bar Sol: a call in person" in said(f"{kinds}a call in person")
    assert "Bar Sol: a meeting" in said(f"{kinds}a meeting")


def test_where_templates_cannot_be_kept_they_are_compiled_anew(tmp_path: Path) -> None:
    assert template_cache(tmp_path / "absent") is None
