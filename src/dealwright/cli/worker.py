"""The command that keeps a desk going by the clock: worker."""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealwright.cli.context import Json, answer, note, open_desk, say, settings_of

if TYPE_CHECKING:
    from dealwright.desk.desk import Desk
    from dealwright.desk.worker import WorkDone
    from dealwright.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("worker")(worker)


def worker(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, and leave.")] = False,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", min=0.01, max=86_400, help="How often it looks.")
    ] = 1.0,
    private_webhooks: Annotated[
        bool,
        typer.Option(
            "--private-webhooks", help="Webhooks may lead into your own network, and to this machine."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Keep the desk going by the clock, until it is stopped: run any number, one of them leads.

    Places that a shift opens go to those who wait; leads whose agent does not answer in time go to the next;
    follow-up times end; decisions are sealed; webhooks are called; nights of the plan that are due or were
    asked for are carried out, as [night] of dealwright.toml says; what is older than [retention] says goes.
    """
    from dealwright.desk.worker import Worker, WorkerParams

    settings = settings_of(context)
    params = WorkerParams(
        every_s=every,
        texts_days=settings.retention.texts_days,
        archive_days=settings.retention.archive_days,
        archive_folder=settings.archive_folder,
    )
    with open_desk(context) as desk:
        hand = Worker(desk.database, params)
        if once:
            done = hand.work()
            answer(done.to_dict(), done.summary(), as_json=as_json)
            return
        stop = threading.Event()
        _stop_by_signal(stop)
        _log_as_json()
        note("waiting for the other workers, if any; Ctrl-C stops")

        def tell(done: WorkDone) -> None:
            if as_json:
                sys.stdout.write(json.dumps(done.to_dict()) + "\n")
                sys.stdout.flush()
            else:
                say(done.summary())

        beside = [
            _start_courier(settings, desk, stop, private=private_webhooks),
            _start_nights(settings, desk, stop),
        ]
        total = hand.run(stop, tell, on_lead=lambda: note("this worker leads"))
        for thread in beside:
            if thread is not None:
                thread.join(timeout=15)
    note(f"stopped; in all: {total.summary()}")


def _start_courier(
    settings: Settings, desk: Desk, stop: threading.Event, *, private: bool
) -> threading.Thread | None:
    """Call webhooks beside the work; without the extra `service` there are none."""
    from dealwright.extras import missing_modules

    if missing_modules("service"):
        return None
    from dealwright.service.courier import Courier
    from dealwright.service.params import ServiceParams
    from dealwright.settings import find_webhook_key

    params = ServiceParams(
        private_webhooks=private,
        webhook_key=find_webhook_key(settings),
        webhook_give_up_s=settings.webhooks.give_up_days * 86_400,
    )
    courier = Courier(desk, params)
    thread = threading.Thread(target=courier.run, args=(stop,), name="dealwright-courier", daemon=True)
    thread.start()
    return thread


def _start_nights(settings: Settings, desk: Desk, stop: threading.Event) -> threading.Thread | None:
    """Carry out nights beside the work, where the settings say so."""
    from dealwright.extras import require_extra

    if settings.night is None:
        return None
    require_extra("plan", "the nightly plan")
    from dealwright.runs.night_worker import NightPlace, NightWorker

    nights = NightWorker(desk, NightPlace(settings.database_url, settings.home, settings.night))
    thread = threading.Thread(target=nights.run, args=(stop,), name="dealwright-nights", daemon=True)
    thread.start()
    return thread


def _log_as_json() -> None:
    from dealwright.runs.logs import log_as_json

    log_as_json("dealwright")


def _stop_by_signal(stop: threading.Event) -> None:
    """Stop after the piece of work at hand: SIGTERM from a service manager, Ctrl-C from a person."""

    def leave(*_: Any) -> None:
        stop.set()

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)
