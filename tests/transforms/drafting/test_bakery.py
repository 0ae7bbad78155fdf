"""The bakery that docs/first-forecast.md maps: the page's edits are few, fit the draft, and lead to data that can be taken in."""

import re
from pathlib import Path

import pytest

from transforms.adapters import load_provider
from transforms.drafting import check, draft

PAGE = Path(__file__).resolve().parents[3] / "docs" / "first-forecast.md"


@pytest.fixture(scope="module")
def bakery(real_data: Path) -> Path:
    folder = real_data / "bakery"
    if not folder.is_dir():
        pytest.skip(f"the bakery's data are not at {folder}: set SHELFCAST_TEST_DATA to the folder that holds them")
    return folder


def edits() -> list[str]:
    [block] = re.findall(r"```diff\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    return str(block).splitlines()


def test_at_most_ten_lines_are_edited() -> None:
    assert 0 < sum(line.startswith("+") for line in edits()) <= 10


def test_the_edited_draft_of_the_page_takes_every_file_in(bakery: Path, tmp_path: Path) -> None:
    target = tmp_path / "bakery.yaml"
    made = draft(bakery, target, "bakery", lambda _: None)
    assert made.missing is None
    assert made.text.splitlines()[:9] == PAGE.read_text().split("```yaml\n")[1].splitlines()[:9]
    target.write_text(edited(made.text))
    found = check(load_provider(str(target)), bakery, lambda _: None)
    assert found.passes
    assert {file.source: file.taken for file in found.files} == {
        "stores": 35, "products": 3, "events": 23_142, "shipments": 127_324, "weather_observed": 7_290,
    }  # fmt: skip
    assert not [sentence for sentence in found.remarks if "is not over" in sentence]


def edited(text: str) -> str:
    """The draft with the page's edits: a line that is taken away is replaced by the next, one that is added follows the line before it."""
    lines, before = text.splitlines(), ""
    for line in edits():
        mark, rest = line[0], line[1:]
        if mark == "+":
            at = lines.index(before)
            lines[at : at + 1] = [rest] if before.startswith("description") else [lines[at], rest]
        before = rest
    return "\n".join(lines) + "\n"
