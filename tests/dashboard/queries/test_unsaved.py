"""What planners enter and do not save: kept for each of them, whatever ends, and taken once."""

import logging
from datetime import date
from pathlib import Path

import pytest

from dashboard.queries.orders.unsaved import Unsaved
from transforms.calendar import Region, Week
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.orders.record import Change

OHIO, TARGET = Region("ohio"), Week(date(2024, 7, 8))
BREAD, RYE = Change("1", "bread", 24, 12), Change("2", "rye", 0, 6, "per cent")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def test_what_was_entered_is_there_for_the_same_person_alone_and_for_its_week(lake: Lake) -> None:
    Unsaved(lake, "Zoë <b>").keep(OHIO, TARGET, [BREAD, RYE])
    again = Unsaved(lake, "Zoë <b>")
    assert (again.of(OHIO, TARGET, "1"), again.of(OHIO, TARGET, "2")) == ({"bread": BREAD}, {"rye": RYE})
    assert again.stores(OHIO, TARGET) == {"1": 1, "2": 1}
    assert Unsaved(lake, "zoë <b>").stores(OHIO, TARGET) == again.stores(OHIO, TARGET + 1) == again.stores(Region("utah"), TARGET) == {}


def test_a_later_entry_takes_the_place_of_an_earlier_one_and_the_planned_quantity_removes_it(lake: Lake) -> None:
    unsaved = Unsaved(lake, "ann")
    unsaved.keep(OHIO, TARGET, [BREAD])
    unsaved.keep(OHIO, TARGET, [Change("1", "bread", 36, 12)])
    assert unsaved.of(OHIO, TARGET, "1")["bread"].quantity == 36
    unsaved.keep(OHIO, TARGET, [Change("1", "bread", 12, 12)])
    assert unsaved.of(OHIO, TARGET, "1") == {}


def test_saved_changes_are_dropped_and_those_that_came_meanwhile_stay(lake: Lake) -> None:
    unsaved = Unsaved(lake, "ann")
    unsaved.keep(OHIO, TARGET, [BREAD, RYE])
    unsaved.drop(OHIO, TARGET, [BREAD])
    assert unsaved.stores(OHIO, TARGET) == {"2": 1}


def test_what_a_page_says_a_second_time_is_not_taken_again(lake: Lake) -> None:
    unsaved = Unsaved(lake, "ann")
    unsaved.keep(OHIO, TARGET, [BREAD], ("tab", 7))
    unsaved.drop(OHIO, TARGET, [BREAD])
    unsaved.keep(OHIO, TARGET, [BREAD], ("tab", 7))
    assert unsaved.stores(OHIO, TARGET) == {}
    unsaved.keep(OHIO, TARGET, [RYE], ("other tab", 3))
    unsaved.keep(OHIO, TARGET, [BREAD], ("tab", 8))
    assert unsaved.stores(OHIO, TARGET) == {"1": 1, "2": 1}


def test_what_cannot_be_kept_is_said_and_nothing_that_was_there_is_lost(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    unsaved = Unsaved(lake, "ann")
    unsaved.keep(OHIO, TARGET, [BREAD])

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigurationError, match=r"cannot be kept in .*: No space left on device\. Tell an operator"):
        unsaved.keep(OHIO, TARGET, [RYE])
    assert unsaved.stores(OHIO, TARGET) == {"1": 1}


def test_a_file_that_somebody_broke_counts_as_empty_and_is_told(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    unsaved = Unsaved(lake, "ann")
    unsaved.keep(OHIO, TARGET, [BREAD])
    next(lake.path("unsaved").iterdir()).write_text("{")
    with caplog.at_level(logging.WARNING):
        assert unsaved.stores(OHIO, TARGET) == {}
    assert "what it held counts as dropped" in caplog.text
