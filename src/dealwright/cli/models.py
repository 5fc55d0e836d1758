"""Commands that learn: train, evidence, and the register of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from dealwright.cli.context import Json, console, open_desk, write_json

model_app = typer.Typer(
    name="model", help="The register of models: list, show, promote, load.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(model_app)


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
    as_json: Json = False,
) -> None:
    """Put a registered model to work."""
    with open_desk(context) as desk:
        desk.promote(model_id)
    if as_json:
        write_json({"model_id": model_id, "promoted": True})
    else:
        console().print(f"model {model_id} is at work")


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
    if as_json:
        write_json({"model_id": model_id, "kind": kind, "promoted": promote})
    else:
        console().print(f"{kind} model {model_id} " + ("is at work" if promote else "is registered"))


def _read_model(file: Path) -> tuple[str, dict[str, Any]]:
    from dealwright.errors import InputError

    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError:
        raise InputError(f"there is no file {file}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{file}: not JSON: {error}") from None
    if isinstance(document, dict) and isinstance(document.get("weights"), dict):
        return "classic", document
    if isinstance(document, dict) and document.get("kind") == "value":
        return "value", document
    raise InputError(
        f'{file}: neither classic weights ({{"weights": {{"rating_score": …}}}}) nor a match model '
        '({"kind": "value", …})'
    )
