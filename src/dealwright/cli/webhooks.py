"""Commands of webhooks: webhook add, list, test, rotate, pause, resume, remove, dead."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dealwright.cli.context import Json, answer, note, open_desk, say, settings_of, write_json
from dealwright.cli.help import App

if TYPE_CHECKING:
    from dealwright.desk.desk import Desk
    from dealwright.desk.webhooks import Webhook

webhook_app = App(
    name="webhook",
    help="Tell other systems of events: addresses, and what they did not take.",
    no_args_is_help=True,
)
dead_app = App(
    name="dead", help="List and send again the events that an address did not take.", no_args_is_help=True
)
webhook_app.add_typer(dead_app)

WebhookId = Annotated[int, typer.Argument(metavar="WEBHOOK", min=1, help="Id of the webhook.")]
Private = Annotated[
    bool, typer.Option("--private", help="It may lead into your own network, and to this machine.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(webhook_app)


@webhook_app.command("add")
def add_webhook(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where events go.")],
    *,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only this kind of event; may be given again."),
    ] = None,
    private: Private = False,
    as_json: Json = False,
) -> None:
    """Tell an address of events from now on. The secret of its signatures is shown this once."""
    from dealwright.extras import require_extra

    require_extra("service", "a webhook")
    from dealwright.service.courier import find_address
    from dealwright.service.events import PREFIX
    from dealwright.settings import find_webhook_key

    find_address(url, allow_private=private)
    with open_desk(context) as desk:
        number, secret = desk.webhooks.create(
            url,
            [each.removeprefix(PREFIX) for each in kind or ()] or None,
            key=find_webhook_key(settings_of(context)),
        )
    if as_json:
        write_json({"webhook_id": number, "secret": secret})
        return
    typer.echo(secret)
    note(f"webhook {number} receives events from now on; give the secret to its receiver: it is shown once")


@webhook_app.command("list")
def list_webhooks(context: typer.Context, as_json: Json = False) -> None:
    """Show the addresses, how far each has heard, and what keeps it."""
    with open_desk(context) as desk:
        webhooks = desk.webhooks.list()
    if as_json:
        write_json([dict(webhook.to_dict()) for webhook in webhooks])
        return
    if not webhooks:
        note("there are no webhooks: dealwright webhook add URL makes one")
    for webhook in webhooks:
        kinds = ", ".join(sorted(webhook.kinds)) if webhook.kinds else "all events"
        if webhook.paused_at is not None:
            state = f"paused since {webhook.paused_at:%Y-%m-%d %H:%M}"
        elif webhook.disabled_at is not None:
            state = f"off since {webhook.disabled_at:%Y-%m-%d %H:%M}: {webhook.last_error}"
        elif webhook.failures:
            state = f"failed {webhook.failures} times: {webhook.last_error}"
        else:
            state = "active"
        say(f"{webhook.webhook_id}  {webhook.url}  {kinds}  {webhook.dead_letters} put aside  {state}")


@webhook_app.command("test")
def try_webhook(
    context: typer.Context, webhook: WebhookId, *, private: Private = False, as_json: Json = False
) -> int:
    """Send an event of type dealwright.test, once; exit code 1 when it is not taken."""
    from dealwright.extras import require_extra

    require_extra("service", "a call to a webhook")
    from dealwright.service.courier import Courier
    from dealwright.service.params import ServiceParams
    from dealwright.settings import find_webhook_key

    params = ServiceParams(private_webhooks=private, webhook_key=find_webhook_key(settings_of(context)))
    with open_desk(context) as desk:
        error = Courier(desk, params).test(_find(desk, webhook))
    if as_json:
        write_json({"webhook_id": webhook, "error": error})
    elif error is None:
        say("taken")
    else:
        note(f"not taken: {error}")
    return int(error is not None)


@webhook_app.command("rotate")
def rotate_webhook(
    context: typer.Context,
    webhook: WebhookId,
    *,
    keep_hours: Annotated[
        float,
        typer.Option(
            "--keep-hours", metavar="HOURS", min=0, max=744, help="For so long the former secret signs too."
        ),
    ] = 24.0,
    as_json: Json = False,
) -> None:
    """Give an address a new secret, which is shown this once; for a while both sign each call."""
    from dealwright.settings import find_webhook_key

    with open_desk(context) as desk:
        secret = desk.webhooks.rotate(
            webhook, key=find_webhook_key(settings_of(context)), keep_s=keep_hours * 3600
        )
    if as_json:
        write_json({"webhook_id": webhook, "secret": secret})
        return
    typer.echo(secret)
    note("give the secret to the receiver: it is shown once")


@webhook_app.command("pause")
def pause_webhook(context: typer.Context, webhook: WebhookId, as_json: Json = False) -> None:
    """Tell an address nothing until it is resumed; no event is lost."""
    with open_desk(context) as desk:
        desk.webhooks.pause(webhook)
    answer(
        {"webhook_id": webhook, "paused": True},
        f"webhook {webhook} is paused: dealwright webhook resume ends that",
        as_json=as_json,
    )


@webhook_app.command("resume")
def resume_webhook(context: typer.Context, webhook: WebhookId, as_json: Json = False) -> None:
    """Tell an address that was paused or disabled of events again, from where it stopped."""
    with open_desk(context) as desk:
        until = desk.webhooks.resume(webhook)
    if as_json:
        write_json({"webhook_id": webhook, "paused": False, "archived_until": until})
        return
    say(f"webhook {webhook} receives events again, from where it stopped")
    _say_archived(until)


def _find(desk: Desk, webhook: int) -> Webhook:
    from dealwright.errors import NotFoundError

    for found in desk.webhooks.list():
        if found.webhook_id == webhook:
            return found
    raise NotFoundError(f"there is no webhook {webhook}: `dealwright webhook list` shows them")


def _say_archived(until: datetime | None) -> None:
    if until is not None:
        note(f"events before {until:%Y-%m-%d} that it has not got are in the archive and are not sent")


@webhook_app.command("remove")
def remove_webhook(context: typer.Context, webhook: WebhookId, as_json: Json = False) -> None:
    """Forget an address, with what it did not take."""
    with open_desk(context) as desk:
        desk.webhooks.remove(webhook)
    answer({"webhook_id": webhook, "removed": True}, f"webhook {webhook} is gone", as_json=as_json)


@dead_app.command("list")
def list_dead(context: typer.Context, webhook: WebhookId, as_json: Json = False) -> None:
    """Show the events that were put aside because an address did not take them."""
    with open_desk(context) as desk:
        letters = desk.webhooks.dead_letters(webhook)
    if as_json:
        write_json([dict(letter) for letter in letters])
        return
    if not letters:
        note("nothing was put aside")
    for letter in letters:
        say(f"{letter['event']}  {letter['kind']}  {letter['given_up_at']:%Y-%m-%d %H:%M}  {letter['error']}")


@dead_app.command("retry")
def retry_dead(context: typer.Context, webhook: WebhookId, as_json: Json = False) -> None:
    """Tell an address again, from the first event that was put aside on: it hears of all since.

    Also of what it has taken meanwhile, with the same webhook-id: a receiver drops what it has seen. To send
    only what was put aside, use `dealwright webhook dead send`.
    """
    with open_desk(context) as desk:
        until = desk.webhooks.again(webhook)
    if as_json:
        write_json({"webhook_id": webhook, "disabled_at": None, "archived_until": until})
        return
    say(
        f"webhook {webhook} hears again of all since what was put aside first, also of what it has taken "
        "(with the same webhook-id)"
    )
    _say_archived(until)


@dead_app.command("send")
def send_dead(
    context: typer.Context,
    webhook: WebhookId,
    events: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EVENT]...", help="Which of them, as the list names them; all without."),
    ] = None,
    *,
    private: Private = False,
    as_json: Json = False,
) -> int:
    """Send the events that were put aside, once, and nothing else; exit code 1 when one is not taken."""
    from dealwright.extras import require_extra

    require_extra("service", "a call to a webhook")
    from dealwright.service.courier import Courier
    from dealwright.service.params import ServiceParams
    from dealwright.settings import find_webhook_key

    params = ServiceParams(private_webhooks=private, webhook_key=find_webhook_key(settings_of(context)))
    with open_desk(context) as desk:
        found = _find(desk, webhook)
        wanted = events or [letter["event"] for letter in desk.webhooks.dead_letters(webhook)]
        courier = Courier(desk, params)
        answers = {event: courier.send_dead(found, event) for event in wanted}
    if as_json:
        write_json([{"event": event, "error": error} for event, error in answers.items()])
    elif not answers:
        note("nothing was put aside")
    else:
        for event, error in answers.items():
            say(f"{event}  {'taken' if error is None else f'not taken: {error}'}")
    return int(any(answers.values()))
