"""Incidents around a region that is new, and around files that are refused: neither holds up what is in order, nor hides why something is missing."""

import shutil
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from models.training.spec import TrainingSpec
from models.training.train import train_region
from orchestration.cli.app import app
from orchestration.lifecycle.serving import panel_at
from transforms.calendar import Region, Week
from transforms.lake.tables import Lake

ORIGIN = Week.parse("2023-07-10")
TEXAS = Region("north_texas")


@pytest.fixture
def root(small_lake: Path, tmp_path: Path) -> Path:
    """A copy of the small lake, its weekly cycle run for ORIGIN."""
    return Path(shutil.copytree(small_lake, tmp_path / "root"))


def shelfcast(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments])
    return result.exit_code, " ".join((result.output + (result.stderr or "")).split())


def test_a_new_region_without_deliveries_holds_up_no_other(root: Path) -> None:
    path = root / "landing" / "sample" / "stores.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    header = [cell.value for cell in sheet[1]]
    new = dict(zip(header, (cell.value for cell in sheet[2]), strict=True))
    sheet.append([{**new, "Store No": "S9999", "Sales Region": "South Texas"}[name] for name in header])
    book.save(path)
    code, output = shelfcast("run", "--week", str(ORIGIN + 1), "--root", str(root), "--local")
    assert code == 0, output
    regions = Lake(str(root)).read("gold/forecasts", where=f"origin_week = date '{ORIGIN + 1}'", columns="distinct region")["region"].to_pylist()
    assert regions == ["north_texas"]
    code, output = shelfcast("run", "--week", str(ORIGIN + 1), "--region", "south_texas", "--root", str(root), "--local")
    assert code == 1
    assert f"No deliveries up to {ORIGIN + 1} have landed for south_texas." in output


def test_a_region_that_joined_five_weeks_ago_is_served_by_its_average(root: Path) -> None:
    panel = panel_at(Lake(str(root)), TEXAS, ORIGIN)
    young = list(train_region(panel.until(panel.first + 5), TrainingSpec(members=("lasso",))))
    assert {trained.mover for trained in young} == {"all"}


def test_a_week_whose_file_was_refused_says_so(root: Path) -> None:
    folder = root / "landing" / "sample" / "shipments"
    last = sorted(folder.glob("*-*-*.csv"))[-1]
    header, *rows = last.read_text().splitlines()
    week = Week.parse(last.stem.split("_")[1]) + 1
    (folder / f"shipments_{week}.csv").write_text("\n".join([header.replace(header.split(",")[0], "nobody"), *rows]) + "\n")
    code, output = shelfcast("run", "--week", str(week), "--root", str(root), "--local")
    assert code == 1
    assert f"Week {week} has no shipments yet" in output
    assert f"shipments_{week}.csv, row 1 (header): columns" in output
