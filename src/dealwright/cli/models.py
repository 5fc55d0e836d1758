"""Commands that learn: train, evidence, and the register of models."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealwright.cli.context import Json, console, open_desk, read_time, say, settings_of, write_json
from dealwright.cli.help import App

if TYPE_CHECKING:
    from dealwright.desk.training import Training

model_app = App(name="model", help="The register of models: list, show, promote, load.", no_args_is_help=True)


AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        parser=read_time,
        help="Only what was known then counts, for example 2025-03-31 (UTC), 2025-03-31T12:00+02:00.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Where pictures and summary go; default ./pictures."),
]
Pictures = Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw, or do not.")]
Seed = Annotated[int, typer.Option("--seed", metavar="NUMBER", min=0, help="Seed of every random draw.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("train")(train)
    app.command("evidence")(evidence)
    app.add_typer(model_app)


def train(
    context: typer.Context,
    *,
    classic: Annotated[
        bool, typer.Option("--classic", help="Learn the nine weights of the classic Match Score instead.")
    ] = False,
    as_of: AsOf = None,
    promote: Annotated[
        bool | None,
        typer.Option(
            "--promote/--no-promote", help="Put it to work, or not; left out, later outcomes decide."
        ),
    ] = None,
    revenue_alone: Annotated[
        bool,
        typer.Option("--revenue-alone", help="Tell agents apart by revenue per win where they win alike."),
    ] = False,
    out: Out = None,
    pictures: Pictures = True,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Learn from the outcomes: evidence first, then a model no bolder than the evidence."""
    from dealwright.cli.progress import working
    from dealwright.errors import InputError
    from dealwright.learn import LearnParams

    if classic:
        if revenue_alone:
            raise InputError("--revenue-alone does not go with --classic, whose weights it does not change")
        _train_classic(context, _utc(as_of), promote=promote is not False, as_json=as_json)
        return
    with open_desk(context) as desk, working("training"):
        params = LearnParams(revenue_alone=revenue_alone)
        training = desk.train(params, as_of=_utc(as_of), promote=promote, seed=seed)
    paths = _draw(context, training, out) if pictures else []
    if as_json:
        write_json({**training.to_dict(), "pictures": [str(path) for path in paths]})
        return
    out_console = console()
    _show_evidence(training)
    verdict = "is at work" if training.promotion.promote else "is registered, but not at work"
    out_console.print(f"model {training.model_id} {verdict}: {training.promotion.reason}", markup=False)
    _show_paths(paths)


def evidence(
    context: typer.Context,
    *,
    as_of: AsOf = None,
    out: Out = None,
    pictures: Pictures = True,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Say what the outcomes can support: whether agents differ beyond chance, and in what."""
    from dealwright.cli.progress import working

    with open_desk(context) as desk, working("looking for evidence"):
        training = desk.evidence(as_of=_utc(as_of), seed=seed)
    paths = _draw(context, training, out) if pictures else []
    if as_json:
        write_json({**training.result.evidence.to_dict(), "pictures": [str(path) for path in paths]})
        return
    _show_evidence(training)
    _show_paths(paths)


def _train_classic(context: typer.Context, as_of: datetime | None, *, promote: bool, as_json: bool) -> None:
    with open_desk(context) as desk:
        model_id, result = desk.train_classic(as_of=as_of, promote=promote)
    if as_json:
        document = {
            "model_id": model_id,
            "kind": "classic",
            "promoted": promote,
            "weights": dict(result.weights),
        }
        write_json({**document, "assignments": result.assignments, "won": result.won})
        return
    out = console()
    out.print(result.summary(), markup=False)
    out.print(f"classic model {model_id} " + ("is at work" if promote else "is registered"))
    out.print(
        "note: an assignment's own revenue is one of its features, so the outcome leaks into the weights"
    )


def _draw(context: typer.Context, training: Training, out: Path | None) -> list[Path]:
    from dealwright.cli.progress import working
    from dealwright.report.desk_summary import write_desk_report

    with working("drawing"):
        return write_desk_report(training.result, training.agent_names, out or settings_of(context).pictures)


def _show_evidence(training: Training) -> None:
    from dealwright.cli.tables import metrics_table

    out = console()
    found = training.result.evidence
    out.print(f"[bold]{found.verdict}[/bold]")
    out.print(found.text, markup=False)
    if found.metrics:
        out.print(metrics_table(training.result))
        out.print(training.result.reliability_text, markup=False)


def _show_paths(paths: list[Path]) -> None:
    if paths:
        out = console()
        pictures = ", ".join(path.name for path in paths if path.suffix == ".svg")
        out.print(f"pictures in {paths[0].parent}: {pictures}; read summary.html", markup=False)


def _utc(moment: datetime | None) -> datetime | None:
    """Return a moment in UTC, which is meant where no offset is written."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@model_app.command("list")
def list_models(context: typer.Context, as_json: Json = False) -> None:
    """Show the registered models, newest first."""
    with open_desk(context) as desk:
        models = desk.models()
    if as_json:
        write_json([dict(row) for row in models.rows])
        return
    from dealwright.cli.tables import models_table

    out = console()
    if models.rows:
        out.print(models_table(models))
    out.print(models.summary())


@model_app.command("show")
def show_model(
    context: typer.Context,
    model_id: Annotated[int, typer.Argument(metavar="ID")],
    as_json: Json = False,
) -> None:
    """Show one model whole."""
    with open_desk(context) as desk:
        model = desk.model(model_id)
    if as_json:
        write_json(dict(model))
        return
    out = console()
    out.print(f"model {model['model_id']}, {model['kind']}, made {model['created_at']:%Y-%m-%d %H:%M} UTC")
    out.print(
        "at work since " + f"{model['promoted_at']:%Y-%m-%d %H:%M} UTC"
        if model["promoted"]
        else "not at work"
    )
    if model["evidence"]:
        out.print(str(model["evidence"].get("text") or ""), markup=False)
    out.print_json(json.dumps(model["parameters"], default=str))


@model_app.command("promote")
def promote_model(
    context: typer.Context,
    model_id: Annotated[int, typer.Argument(metavar="ID")],
    *,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Why; needed where a second person has to agree."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Put a registered model to work, or ask for it where a second person has to agree."""
    with open_desk(context) as desk:
        waits = desk.promote(model_id, reason)
    if as_json:
        write_json({"model_id": model_id, "promoted": waits is None, "proposal_id": waits})
    elif waits is None:
        say(f"model {model_id} is at work")
    else:
        say(f"proposal {waits} waits: model {model_id} is at work when another person agrees")


@model_app.command("load")
def load_model(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON with the nine weights, or a match model.")
    ],
    promote: Annotated[bool, typer.Option("--promote/--no-promote", help="Put it to work at once.")] = True,
    as_json: Json = False,
) -> None:
    """Register a model from a file: the weights of the classic Match Score, or a match model."""
    kind, parameters = _read_model(file)
    with open_desk(context) as desk:
        model_id = desk.load_model(kind, parameters, promote=promote)
        waits = desk.waiting_proposal(model_id) if promote else None
    promote = promote and waits is None
    if as_json:
        write_json({"model_id": model_id, "kind": kind, "promoted": promote})
    elif waits is not None:
        say(
            f"{kind} model {model_id} is registered; proposal {waits} waits: the model is at work when "
            "another person agrees"
        )
    else:
        say(f"{kind} model {model_id} " + ("is at work" if promote else "is registered"))


def _refuse_number(word: str) -> None:
    raise ValueError(f"{word} where a number is due: write a finite one")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        _refuse_number(word)
    return number


def _read_model(file: Path) -> tuple[str, dict[str, Any]]:
    from dealwright.errors import InputError

    try:
        document = json.loads(
            file.read_text(encoding="utf-8-sig"), parse_constant=_refuse_number, parse_float=_finite
        )
    except FileNotFoundError:
        raise InputError(f"there is no file {file}: give the path of a JSON file") from None
    except OSError as error:
        raise InputError(f"cannot read {file} ({error.strerror}): give the path of a JSON file") from None
    except UnicodeDecodeError:
        raise InputError(f"{file}: not UTF-8; save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON: {error}") from None
    if isinstance(document, dict) and isinstance(document.get("weights"), dict):
        return "classic", document
    if isinstance(document, dict) and document.get("kind") == "value":
        return "value", document
    raise InputError(
        f'{file}: neither classic weights ({{"weights": {{"rating_score": …}}}}) nor a match model '
        '({"kind": "value", …})'
    )
