"""A night as a whole: one request; one function that reads, plans, writes and publishes; runs read back."""

from dealwright.runs.model_store import FolderModelStore
from dealwright.runs.night import Night, publish_run, run_night
from dealwright.runs.reading import read_previous, read_run
from dealwright.runs.request import NightRequest

__all__ = [
    "FolderModelStore",
    "Night",
    "NightRequest",
    "publish_run",
    "read_previous",
    "read_run",
    "run_night",
]
