from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.calendar import Region, Slice, SliceBlock, Week, blocks_of
from transforms.errors import InvalidKey

WEEK = Week.parse("2022-05-02")


@pytest.mark.parametrize("text", ["2022-05-03", "2022-5-2", "2022-13-01", "2022-05-02' or 1=1", "", "2022-05-02\n"])
def test_a_week_is_the_monday_and_nothing_else(text: str) -> None:
    with pytest.raises(InvalidKey, match="Week"):
        Week.parse(text)


@pytest.mark.parametrize("name", ["Ohio", "north texas", "x' or '1'='1", "", "1st", "ohio\n", "a" * 64])
def test_a_region_key_that_could_break_a_predicate_is_refused(name: str) -> None:
    with pytest.raises(InvalidKey, match="is not a region key"):
        Region(name)


def test_a_day_that_is_no_monday_is_answered_with_its_week() -> None:
    with pytest.raises(InvalidKey, match=r"^Week 2022-05-04 is a Wednesday: a week is named by its Monday\. Did you mean 2022-05-02\?$"):
        Week(date(2022, 5, 4))


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)))
def test_every_day_lies_in_the_week_that_contains_it(day: date) -> None:
    week = Week.containing(day)
    assert week.monday <= day < (week + 1).monday


@given(st.sets(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 12)), min_size=1))
def test_blocks_cover_exactly_the_slices_they_are_made_from(chosen: set[tuple[str, int]]) -> None:
    slices = {Slice(Region(name), WEEK + offset) for name, offset in chosen}
    covered = [item for block in blocks_of(slices) for item in block.slices()]
    assert len(covered) == len(set(covered))
    assert set(covered) == slices


def test_a_full_rectangle_is_one_block() -> None:
    regions = (Region("a"), Region("b"))
    assert blocks_of(SliceBlock(regions, WEEK, WEEK + 9).slices()) == [SliceBlock(regions, WEEK, WEEK + 9)]
