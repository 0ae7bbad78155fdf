"""Small pictures: foreign names stay names, gaps stay gaps, every cell is there."""

import re
from xml.etree import ElementTree

from models.evaluation.svg import BLUE, RED, Cell, Series, distributions, heat_map, line_chart

HOSTILE = "</text><script>alert(1)</script>&\"'"
SPACE = "{http://www.w3.org/2000/svg}"


def test_a_name_that_is_called_like_a_script_stays_a_name_in_every_picture() -> None:
    pictures = (
        line_chart(HOSTILE, [HOSTILE], {HOSTILE: Series([0.5], BLUE)}),
        heat_map(HOSTILE, [HOSTILE], {HOSTILE: [Cell(RED, HOSTILE, "!")]}),
        distributions(HOSTILE, [HOSTILE, "b"], [0.4, 0.6], [0.5, 0.5], BLUE),
    )
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        assert root.get("aria-label") == HOSTILE
        assert not list(root.iter(f"{SPACE}script"))


def test_a_week_that_is_not_known_is_a_gap_and_not_drawn_over() -> None:
    picture = line_chart("MAPE", ["a", "b", "c", "d", "e"], {"models": Series([0.2, 0.3, None, 0.3, 0.2], BLUE)})
    lines = re.findall(r'<polyline points="([^"]+)"', picture)
    assert [len(line.split()) for line in lines] == [2, 2]


def test_higher_is_higher_and_the_axis_holds_all_values() -> None:
    picture = line_chart("MAPE", ["a", "b"], {"models": Series([0.1, 0.79], BLUE)})
    [points] = re.findall(r'<polyline points="([^"]+)"', picture)
    low, high = (float(point.split(",")[1]) for point in points.split())
    assert 26 <= high < low <= 190


def test_every_row_of_a_heat_map_has_a_cell_for_every_column() -> None:
    rows = {name: [Cell(RED, f"{name} {column}") for column in range(3)] for name in ("ohio", "utah")}
    titles = [title.text for title in ElementTree.fromstring(heat_map("checks", ["x", "y", "z"], rows)).iter(f"{SPACE}title")]
    assert titles == [f"{name} {column}" for name in ("ohio", "utah") for column in range(3)]
