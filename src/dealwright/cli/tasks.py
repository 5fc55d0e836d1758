"""The commands ``task``: what the plan asked for, its outcome, and how it gets into the next plan."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dealwright.cli.context import Json, Reason, answer, console, note, open_desk, say, write_json
from dealwright.cli.help import App
from dealwright.errors import InputError

if TYPE_CHECKING:
    from dealwright.desk.task_results import Task

_MOMENT_FORMAT = "%Y-%m-%d %H:%M:%S%.6f"
task_app = App(
    name="task",
    help="The plan's tasks on the desk: list them, report their outcomes, publish a run, export touches.",
    no_args_is_help=True,
)
_SHOWN = 50


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time like 2026-07-01T10:30") from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day like 2026-07-01") from None


TaskId = Annotated[int, typer.Argument(metavar="TASK", min=1, help="Id of the task.")]
Rep = Annotated[str | None, typer.Option("--rep", metavar="ID", help="Who did it, if somebody else.")]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="In your words.")]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at", metavar="TIME", parser=_moment,
        help="When, on the company's clock unless it names an offset; now if not said.",
    ),
]  # fmt: skip
Since = Annotated[
    datetime | None, typer.Option("--since", metavar="TIME", parser=_moment, help="Not before then.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(task_app)


@task_app.command("list")
def list_tasks(
    context: typer.Context,
    *,
    day: Annotated[
        date | None,
        typer.Option("--day", metavar="DAY", parser=_day, help="Instead of the newest run's days."),
    ] = None,
    rep: Annotated[str | None, typer.Option("--rep", metavar="ID", help="Of one representative.")] = None,
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="With one account.")] = None,
    status: Annotated[
        str | None,
        typer.Option(
            "--status", metavar="WORD", help="planned, started, done, failed, cancelled or replaced."
        ),
    ] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="Of one run.")] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, metavar="K", help="Only the first K.")] = None,
    as_json: Json = False,
) -> None:
    """List the tasks of the newest run's days, by representative and time."""
    with open_desk(context) as desk:
        found = desk.tasks.find(day=day, rep_id=rep, account_id=account, status=status, run_id=run, k=top)
    if as_json:
        write_json([dict(row) for row in found.rows])
        return
    from dealwright.cli.task_tables import tasks_table

    out = console()
    if found.rows:
        out.print(tasks_table(found.rows[: top or _SHOWN]))
        if not top and len(found.rows) > _SHOWN:
            out.print(f"… and {len(found.rows) - _SHOWN:,} more: --rep, --status or --top {len(found.rows)}")
    out.print(found.summary())
    if not found.rows:
        note("`dealwright plan … --publish` brings some; --day and --account look further back")


@task_app.command("show")
def show(context: typer.Context, task: TaskId, as_json: Json = False) -> None:
    """Show a task with its reason and its brief."""
    with open_desk(context) as desk:
        found = desk.tasks.get(task)
    if as_json:
        write_json(found.to_dict())
        return
    from dealwright.cli.task_tables import task_page

    out = console()
    for line in task_page(found):
        out.print(line, markup=False, soft_wrap=True)
    if found.row["brief"]:
        from rich.markdown import Markdown

        out.print("", Markdown(found.row["brief"], hyperlinks=False))


@task_app.command("start")
def start(context: typer.Context, task: TaskId, rep: Rep = None, as_json: Json = False) -> None:
    """Say that somebody is at it: no newer run takes the task away."""
    with open_desk(context) as desk:
        _answer(desk.tasks.start(task, rep), as_json=as_json)


@task_app.command("done")
def done(
    context: typer.Context,
    task: TaskId,
    outcome: Annotated[
        str,
        typer.Argument(metavar="OUTCOME", help="responded, no_response (so far), rejected or not_reached."),
    ],
    *,
    at: At = None,
    note: Note = None,
    rep: Rep = None,
    as_json: Json = False,
) -> None:
    """Report a task's outcome; reported again, it corrects the first report."""
    with open_desk(context) as desk:
        _answer(desk.tasks.finish(task, outcome, done_at=at, note=note, rep_id=rep), as_json=as_json)


@task_app.command("failed")
def failed(
    context: typer.Context, task: TaskId, *, at: At = None, note: Note = None, rep: Rep = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Say that it was tried and nobody was reached: the same as the outcome not_reached."""
    with open_desk(context) as desk:
        _answer(desk.tasks.finish(task, "not_reached", done_at=at, note=note, rep_id=rep), as_json=as_json)


@task_app.command("cancel")
def cancel(context: typer.Context, task: TaskId, note: Note = None, as_json: Json = False) -> None:
    """Say that a task is not to be done; no run of that day asks for it again."""
    with open_desk(context) as desk:
        _answer(desk.tasks.cancel(task, note), as_json=as_json)


@task_app.command("reopen")
def reopen(
    context: typer.Context,
    task: TaskId,
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Take back that a task was finished: it is planned again, and no touch any more."""
    with open_desk(context) as desk:
        _answer(desk.tasks.reopen(task, reason), as_json=as_json)


@task_app.command("report")
def report(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV: task_id, outcome, and perhaps done_at, note, rep_id."),
    ],
    as_json: Json = False,
) -> None:
    """Report the outcomes of many tasks, all of them or none."""
    from dealwright.cli.progress import working
    from dealwright.cli.task_reports import read_task_reports

    with open_desk(context) as desk:
        reports = read_task_reports(file, desk.tasks)
        with working(f"reporting {len(reports):,} tasks"):
            count = desk.tasks.report(reports)
    answer({"reported": count}, f"{count:,} task{'s' * (count != 1)} reported", as_json=as_json)


@task_app.command("export")
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="touches.csv or touches.parquet.")],
    *,
    since: Since = None,
    as_json: Json = False,
) -> None:
    """Write the finished tasks as touches, for `plan --touches` and other systems."""
    if file.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"{file}: name a .csv or .parquet file")
    with open_desk(context) as desk:
        touches = desk.tasks.touches(since)
    try:
        if file.suffix.lower() == ".csv":
            touches.write_csv(file, datetime_format=_MOMENT_FORMAT)
        else:
            touches.write_parquet(file)
    except OSError as error:
        raise InputError(
            f"cannot write {file}: {error.strerror or error}; name a folder that exists"
        ) from None
    document = {"file": str(file), "touches": touches.height}
    answer(
        document, f"{touches.height:,} touch{'es' * (touches.height != 1)} written to {file}", as_json=as_json
    )


@task_app.command("runs")
def runs(
    context: typer.Context,
    top: Annotated[int, typer.Option("--top", min=1, metavar="K", help="Only the newest K.")] = 10,
    as_json: Json = False,
) -> None:
    """List the published runs, newest first, and what became of their tasks."""
    with open_desk(context) as desk:
        found = desk.tasks.runs(top)
    if as_json:
        write_json([dict(row) for row in found.rows])
        return
    from dealwright.cli.task_tables import runs_table

    if found.rows:
        console().print(runs_table(found))
    say(found.summary())


@task_app.command("publish")
def publish(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")],
    as_json: Json = False,
) -> None:
    """Put the tasks of a run on the desk that was planned without --publish, or look again."""
    from dealwright.cli.plan import show_progress
    from dealwright.runs.publishing import publish_run

    with show_progress(quiet=as_json) as progress:
        published = publish_run(folder, open_desk=lambda: open_desk(context), progress=progress)
    answer(published.to_dict(), published.summary(), as_json=as_json)


def _answer(task: Task, *, as_json: bool) -> None:
    answer(task.to_dict(), task.summary(), as_json=as_json)
