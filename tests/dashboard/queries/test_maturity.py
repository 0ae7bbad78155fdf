"""Incidents around the maturity level: one that counted a level as reached whose lower one was not, or that was of an earlier assessment."""

from datetime import UTC, datetime
from pathlib import Path

from dashboard.queries.maturity import maturity
from dashboard.queries.reader import Reader
from tests.dashboard.lakes import put
from transforms.lake.tables import Lake

FIRST, SECOND = datetime(2024, 7, 3, 12, tzinfo=UTC), datetime(2024, 7, 10, 12, tzinfo=UTC)


def assessed(lake: Lake, at: datetime, *missing: int) -> None:
    rows = [{"assessed_at": at, "criterion": f"criterion {level}", "level": level, "met": level not in missing, "evidence": f"step {level}"}
            for level in (1, 2, 3, 4)]  # fmt: skip
    put(lake, "gold/maturity", *rows)


def test_the_level_is_the_one_below_the_first_that_misses_something_and_the_newest_counts(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert maturity(Reader(lake)) is None
    assessed(lake, FIRST, 1)
    found = maturity(Reader(lake))
    assert found is not None
    assert (found.level, found.steps) == (0, ["step 1"])
    assessed(lake, SECOND, 3, 4)
    found = maturity(Reader(lake))
    assert found is not None
    assert (found.level, found.met, found.criteria, found.steps, found.assessed_at) == (2, 2, 4, ["step 3"], SECOND)


def test_the_highest_level_has_no_next_step(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assessed(lake, FIRST)
    found = maturity(Reader(lake))
    assert found is not None
    assert (found.level, found.steps) == (4, [])
