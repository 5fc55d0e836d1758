"""Commands of the HTTP service: serve, key."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from dealwright.cli.context import (
    Json,
    answer,
    console,
    note,
    open_desk,
    read_time,
    settings_of,
    write_json,
)
from dealwright.cli.help import App

if TYPE_CHECKING:
    from fastapi import FastAPI

key_app = App(
    name="key", help="Make, list, replace and revoke the keys of the service.", no_args_is_help=True
)

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Id of the key: the part that is no secret.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.add_typer(key_app)
    app.command("mcp")(mcp)


def serve(
    context: typer.Context,
    *,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; 0.0.0.0: everywhere.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="NUMBER", min=0, max=65_535, help="0: one that is free.")
    ] = 8000,
    processes: Annotated[
        int, typer.Option("--processes", metavar="NUMBER", min=1, max=64, help="Processes that serve.")
    ] = 1,
    worker: Annotated[
        bool,
        typer.Option("--worker/--no-worker", help="Also do what is due by the clock, and call webhooks."),
    ] = True,
    private_webhooks: Annotated[
        bool,
        typer.Option(
            "--private-webhooks", help="Webhooks may lead into your own network, and to this machine."
        ),
    ] = False,
    drain: Annotated[
        float,
        typer.Option(
            "--drain",
            metavar="SECONDS",
            min=0,
            max=3600,
            help="How long to go on answering after SIGTERM, while /ready says no.",
        ),
    ] = 0.0,
    pages: Annotated[
        bool, typer.Option("--console/--no-console", help="Also serve the console, for people in a browser.")
    ] = True,
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url", metavar="URL", help="Where people reach it with a browser, behind a proxy."
        ),
    ] = None,
) -> None:
    """Serve the desk over HTTP until it is stopped; its log goes to stderr, a line of JSON each."""
    from dealwright.extras import require_extra

    require_extra("service", "the service")
    settings = settings_of(context)
    if public_url:
        settings = replace(settings, public_url=public_url)
    with open_desk(context) as desk:  # brings the database up to date before a process of the service starts
        keys = desk.keys.list()
        if settings.database_url is None and not desk.acts_for():
            desk.make_roles()  # nobody else has the embedded database
    from dealwright.desk.worker import WorkerParams
    from dealwright.service.params import ServiceParams
    from dealwright.service.server import Place, serve
    from dealwright.settings import find_webhook_key

    if not any(key["is_valid"] for key in keys):
        note("nobody has a key yet: dealwright key create NAME --scope admin makes one")
    serve(
        Place(settings.database_url, settings.home, settings.database_url_read, settings.night),
        ServiceParams(
            worker=worker,
            upkeep=WorkerParams(
                texts_days=settings.retention.texts_days,
                archive_days=settings.retention.archive_days,
                archive_folder=settings.archive_folder,
            ),
            private_webhooks=private_webhooks,
            webhook_key=find_webhook_key(settings),
            webhook_give_up_s=settings.webhooks.give_up_days * 86_400,
            public_url=settings.public_url,
            oidc=settings.oidc,
            oidc_secret=settings.oidc_secret,
            drain_s=drain,
        ),
        host=host,
        port=port,
        processes=processes,
        ready=lambda address: note(_serving(address, pages=pages)),
        extend=_with_console if pages else None,
    )


def _with_console(app: FastAPI) -> None:
    """Add the console in the process that serves; the parent of several does without it."""
    from dealwright.web import add_console

    add_console(app)


def _serving(address: str, *, pages: bool) -> str:
    console = f"the console at {address.removesuffix('/api/v1')}, " if pages else ""
    return f"{console}serving at {address}; Ctrl-C stops"


def mcp(
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="Where the service is.")
    ] = "http://127.0.0.1:8000",
) -> None:
    """Give an assistant tools (Model Context Protocol, on stdin and stdout); DEALWRIGHT_KEY holds its key.

    It asks the service, so it may do what its key may do; what changes something is confirmed by a person.
    """
    import os

    from dealwright.errors import InputError
    from dealwright.extras import require_extra

    require_extra("service", "the assistant's tools")
    key = os.environ.get("DEALWRIGHT_KEY", "").strip()
    if not key:
        raise InputError(
            "DEALWRIGHT_KEY holds no key: make one with `dealwright key create assistant --scope planner` "
            "and set it in the environment of the assistant"
        )
    from dealwright.service.assistant import build_assistant
    from dealwright.service.client import Client

    with Client(url, key) as client:
        build_assistant(client).run()


@key_app.command("create")
def create_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who has it, for the list of keys.")],
    *,
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope", metavar="SCOPE", help="ingest, agent, planner, manager or admin; may be given again."
        ),
    ],
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="ID", help="With the scope agent: whose work it shows.")
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option("--expires", metavar="TIME", parser=read_time, help="Until when it is valid."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key of the service. It is shown this once: the desk keeps a hash of it."""
    from dealwright.desk.keys import split_token

    with open_desk(context) as desk:
        key = desk.keys.create(name, scope, agent=agent, expires_at=expires and expires.astimezone())
    if as_json:
        parts = split_token(key)
        write_json({"key_id": parts[0] if parts else None, "key": key})
        return
    typer.echo(key)
    note("keep it in a safe place: it is not shown again")


@key_app.command("list")
def list_keys(context: typer.Context, as_json: Json = False) -> None:
    """Show the keys, oldest first, without their secrets."""
    with open_desk(context) as desk:
        keys = desk.keys.list()
    if as_json:
        write_json([dict(key) for key in keys])
        return
    from dealwright.cli.tables import keys_table

    if keys:
        console().print(keys_table(keys))
    else:
        note("there are no keys yet: dealwright key create NAME --scope admin makes one")


@key_app.command("replace")
def replace_key(
    context: typer.Context,
    key: KeyId,
    *,
    keep: Annotated[
        float,
        typer.Option("--keep", metavar="HOURS", min=0, max=720, help="For so long the old one stays valid."),
    ] = 24.0,
    as_json: Json = False,
) -> None:
    """Make the successor of a key, with the same scopes; the old one stays valid for a while."""
    from dealwright.desk.keys import split_token

    with open_desk(context) as desk:
        made = desk.keys.replace(key, keep=timedelta(hours=keep))
    if as_json:
        parts = split_token(made)
        write_json({"key_id": parts[0] if parts else None, "key": made, "replaces": key})
        return
    typer.echo(made)
    note(f"key {key} is valid for {keep:g} hours yet")


@key_app.command("revoke")
def revoke_key(context: typer.Context, key: KeyId, as_json: Json = False) -> None:
    """End a key for good; a service that runs refuses it within seconds."""
    with open_desk(context) as desk:
        revoked = desk.keys.revoke(key)
    answer(
        {"key_id": key, "revoked_at": revoked},
        f"key {key} was revoked at {revoked:%Y-%m-%d %H:%M:%S %Z}",
        as_json=as_json,
    )
