"""The command that keeps a desk going by the clock: worker."""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealwright.cli.context import Json, console, notes, open_desk, write_json

if TYPE_CHECKING:
    from dealwright.desk.worker import WorkDone


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
    as_json: Json = False,
) -> None:
    """Keep the desk going by the clock, until it is stopped: run any number, one of them leads.

    Places that a shift opens go to those who wait; leads whose agent does not answer in time go to the next;
    follow-up times end; decisions are sealed.
    """
    from dealwright.desk.worker import Worker, WorkerParams

    params = WorkerParams(every_s=every)
    with open_desk(context) as desk:
        hand = Worker(desk.database, params)
        if once:
            done = hand.work()
            write_json(done.to_dict()) if as_json else console().print(done.summary(), markup=False)
            return
        stop = threading.Event()
        _stop_by_signal(stop)
        say = notes()
        say.print("waiting for the other workers, if any; Ctrl-C stops", markup=False)

        def tell(done: WorkDone) -> None:
            if as_json:
                sys.stdout.write(json.dumps(done.to_dict()) + "\n")
                sys.stdout.flush()
            else:
                console().print(done.summary(), markup=False)

        total = hand.run(stop, tell, on_lead=lambda: say.print("this worker leads", markup=False))
    say.print(f"stopped; in all: {total.summary()}", markup=False)


def _stop_by_signal(stop: threading.Event) -> None:
    """Stop after the piece of work at hand: SIGTERM from a service manager, Ctrl-C from a person."""

    def leave(*_: Any) -> None:
        stop.set()

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)
