"""How the service is run."""

from __future__ import annotations

from dataclasses import dataclass, field

from dealwright.desk.worker import WorkerParams
from dealwright.errors import InputError
from dealwright.settings import OpenId


@dataclass(frozen=True)
class ServiceParams:
    """How the service is run.

    Attributes
    ----------
    worker
        Each process also offers to do what the desk has to do by the clock; one of all leads.
    upkeep
        What the worker does, and how often.
    threads
        Calls to the database that a process makes at once.
    batch
        Leads that arrive together are placed in one transaction, up to so many.
    most_leads
        Leads in one request.
    most_body_bytes
        Size of a request.
    rate_per_s, burst
        Requests per second that one key may send to one process, and how many at once.
    attempts_per_min
        Requests without a valid key that one address may send to one process in a minute.
    key_fresh_s
        For so long a key that was valid is not looked up again: a revoked one works no longer than that.
    poll_s
        How often the one reader of a process looks for new events.
    recent_events
        Events that a process keeps in memory for its listeners; older ones are read from the database.
    most_listeners
        Clients that follow the events of one process.
    held_back_alarm_s
        When a transaction that was left open has delayed the events for so long, the log says whose it is.
    private_webhooks
        Webhooks may lead into one's own network and to this machine, also without encryption.
    webhook_key
        From which the secrets of webhooks are derived.
    webhook_give_up_s
        An event that an address does not take for so long is put aside; an address that has taken nothing for
        so long receives nothing more.
    webhook_attempts
        An event that an address refuses so often is put aside.
    webhook_pause_s
        Before the second attempt; doubled from one to the next, up to an hour.
    webhook_timeout_s
        How long an address may take to answer.
    webhook_poll_s
        How often webhooks are looked after.
    public_url
        Where people reach the service with a browser; None: where the request says it went.
    session_hours
        For so long somebody stays signed in.
    oidc, oidc_secret
        The OpenID provider where people sign in, and this service's secret there.
    heartbeat_s
        After so long without an event a listener gets a comment, so that a dead connection is noticed.
    stall_s
        A client that takes nothing of its answer for so long is cut off (on Linux).
    drain_s
        For so long after it was asked to end, a process answers requests and says that it is not ready.

    Raises
    ------
    InputError
        One of them is not above 0; only `drain_s` may be 0.
    """

    worker: bool = True
    upkeep: WorkerParams = field(default_factory=WorkerParams)
    threads: int = 16
    batch: int = 500
    most_leads: int = 1000
    most_body_bytes: int = 4 * 2**20
    rate_per_s: float = 2_000.0
    burst: float = 4_000.0
    attempts_per_min: float = 30.0
    key_fresh_s: float = 5.0
    poll_s: float = 0.1
    recent_events: int = 10_000
    most_listeners: int = 1_000
    held_back_alarm_s: float = 60.0
    private_webhooks: bool = False
    webhook_key: str = field(default="", repr=False)
    webhook_give_up_s: float = 5 * 86_400.0
    webhook_attempts: int = 6
    webhook_pause_s: float = 1.0
    webhook_timeout_s: float = 10.0
    webhook_poll_s: float = 0.5
    public_url: str | None = None
    session_hours: float = 12.0
    oidc: OpenId | None = None
    oidc_secret: str = field(default="", repr=False)
    heartbeat_s: float = 15.0
    stall_s: float = 60.0
    drain_s: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int | float) or isinstance(value, bool) or value > 0:
                continue
            if name != "drain_s" or value != 0:
                raise InputError(f"{name} must be above 0, not {value}")
        if self.session_hours > 24 * 31:
            raise InputError(f"session_hours must be at most 744 (31 days), not {self.session_hours}")
        if self.oidc is not None and self.public_url is None:
            raise InputError(
                "the provider of [oidc] sends people back to public_url: write where they reach the service, "
                'such as public_url = "https://desk.example.com"'
            )
