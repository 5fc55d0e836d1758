"""A process that serves looks through what is old only once an hour."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from dealwright.service.collection import Collection


class Node:
    """Something that can be in a cycle."""

    def __init__(self) -> None:
        self.itself = self


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    collection = Collection(clock)
    collection.begin()
    yield clock
    gc.callbacks.remove(collection.collected)
    gc.unfreeze()


@pytest.mark.usefixtures("clock")
def test_what_outlived_a_full_collection_is_not_looked_through_again() -> None:
    rows = [[number] for number in range(50_000)]
    gc.collect()
    assert len(gc.get_objects()) < 10_000
    assert gc.get_freeze_count() > len(rows)


@pytest.mark.usefixtures("clock")
def test_what_is_let_go_without_a_cycle_is_freed_at_once_also_when_kept() -> None:
    node = Node()
    gc.collect()
    seen = weakref.ref(node)
    node.itself = None  # type: ignore[assignment]
    del node
    assert seen() is None


def test_a_cycle_that_was_kept_goes_after_an_hour(clock: Clock) -> None:
    node = Node()
    seen = weakref.ref(node)
    gc.collect()
    del node
    gc.collect()
    assert seen() is not None

    clock.now_s = 3_601.0
    gc.collect()
    gc.collect()
    assert seen() is None

    after = Node()
    seen = weakref.ref(after)
    gc.collect()
    del after
    gc.collect()
    assert seen() is not None


@pytest.mark.usefixtures("clock")
def test_a_young_cycle_goes_with_the_next_collection() -> None:
    node = Node()
    seen = weakref.ref(node)
    gc.collect(0)
    del node
    gc.collect()
    assert seen() is None
