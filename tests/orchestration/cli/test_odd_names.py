"""Every command on stores and products with odd names (`=2+3`, `O'Brien`, `A/1`, `-7`), without weather, with a region of one store and a closed store."""

import csv
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.members.settings import BoostingSettings, Settings
from orchestration.cli.app import app
from orchestration.project import Project
from transforms.adapters import load_provider
from transforms.lake.tables import Lake
from transforms.landing import drop

CASE = Path(__file__).resolve().parents[2] / "cases" / "40"
ORIGIN, TARGET = "2024-06-24", "2024-07-01"
STORES, PRODUCTS = ("A/1", "=2+3", "O'Brien", "new one"), ("P 1", 'p"2', "+3", "4;5")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of those files, its weekly cycle run for their last week."""
    root = tmp_path_factory.mktemp("odd")
    shutil.copy(CASE / "provider.yaml", root / "shop.yaml")
    settings = Settings(boosting=BoostingSettings(iterations=8, learning_rate=0.05, leaves=8))
    Project(provider="shop.yaml", train_weeks=56, members=("lasso", "boosting"), settings=settings).save(root)
    drop(Lake(str(root)), load_provider(str(root / "shop.yaml")), CASE / "drops")
    done = CliRunner().invoke(app, ["run", "--week", ORIGIN, "--root", str(root), "--local"])
    assert done.exit_code == 0, done.output
    return root


def shelfcast(root: Path, *arguments: str) -> None:
    done = CliRunner().invoke(app, [*arguments, "--root", str(root)])
    assert done.exit_code == 0, done.output


def test_40_nothing_is_planned_for_a_store_that_closed_24_weeks_ago_and_all_others_have_plans(root: Path) -> None:
    planned = {(row["region"], row["store_id"]) for row in Lake(str(root)).read("gold/order_plan", where="order_quantity > 0").to_pylist()}
    assert planned == {*(("duo", store) for store in STORES), ("solo", "solo")}


@pytest.mark.parametrize("store", STORES)
def test_40_a_forecast_of_an_odd_store_is_explained_and_traced(root: Path, store: str) -> None:
    for product in PRODUCTS if store == STORES[0] else PRODUCTS[:1]:
        key = ("--region", "duo", "--store", store, "--product", product, "--week", ORIGIN, "--target", TARGET)
        shelfcast(root, "why", *key)
        shelfcast(root, "trace", "forecast", *key)


def test_40_plans_of_odd_stores_are_written_a_file_a_store(root: Path, tmp_path: Path) -> None:
    shelfcast(root, "plan", "--target", TARGET, "--format", "csv", "--to", str(tmp_path))
    files = sorted(tmp_path.rglob("*.csv"))
    texts = [path.read_text() for path in files]
    assert len(files) == len(STORES) + 1
    # What a spreadsheet would calculate stands there as a text.
    assert all(
        cell[:1] not in {"=", "+", "-", "@"} or cell.lstrip("+-").replace(".", "").isdigit()
        for text in texts
        for row in csv.reader(text.splitlines())
        for cell in row
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("plan", "--target", TARGET),
        ("export", "gold/forecasts", "--region", "solo"),
        ("audit", "verify"),
    ],
)
def test_40_commands_work_on_odd_names(root: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    to = {"plan": ("--to", str(tmp_path / "plans")), "export": ("--to", str(tmp_path / "forecasts.csv"))}
    shelfcast(root, *arguments, *to.get(arguments[0], ()))
