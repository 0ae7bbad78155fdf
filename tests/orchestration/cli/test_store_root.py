"""A lake whose root is an object store: the weekly cycle gives there what it gives on a folder, and what goes wrong is told in sentences."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from obstore.store import S3Store
from typer.testing import CliRunner

from benchmarks.contents import contents
from benchmarks.page_server import served
from benchmarks.servers import free_ports
from dashboard.queries import overview, scoring, training
from dashboard.queries.orders import lines, plans
from dashboard.queries.reader import Reader
from models.members.settings import BoostingSettings, Settings
from orchestration.cli.app import app
from orchestration.project import Project
from orchestration.settings import settings_of
from transforms.adapters import load_provider
from transforms.lake.remote.working_copy import push
from transforms.lake.tables import Lake
from transforms.landing import folder
from transforms.world import WorldSpec, simulate, write_landing

Command = Callable[..., Result]


@pytest.fixture
def shelfcast(s3_server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs a command in an environment that knows the store."""
    for name, value in {**s3_server.environment, "SHELFCAST_STATE": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, [*arguments])


@pytest.fixture
def root(bucket: S3Store) -> str:
    return f"s3://{bucket.config['bucket']}/a/lake"


def opened(root: str) -> Lake:
    return Lake(root, settings_of(root).storage_options)


def test_the_weekly_cycle_in_a_store_gives_what_it_gives_on_a_folder(
    small_lake: Path, shelfcast: Command, root: str, s3_server: Any, tmp_path: Path
) -> None:
    lake, world = opened(root), simulate(WorldSpec(regions=1, stores_per_region=8, products=10, weeks=84))
    settings = Settings(boosting=BoostingSettings(iterations=8, learning_rate=0.05, leaves=8))
    Project(provider="sample", train_weeks=56, members=("lasso", "boosting"), settings=settings).keep(lake)
    landing = folder(lake, load_provider("sample"))
    write_landing(world, landing)
    push(lake, landing)
    done = shelfcast("run", "--week", str(world.last + -4), "--root", root, "--local")
    assert done.exit_code == 0, done.output
    assert contents(root) == contents(small_lake)
    assert secrets_below(tmp_path, s3_server.secret) == []
    assert rounded(answers(lake)) == rounded(answers(Lake(str(small_lake))))
    assert table_of(root) == table_of(str(shutil.copytree(small_lake, tmp_path / "copy")))


def answers(lake: Lake) -> list[object]:
    """What the pages of orders, scoring, training and the overview find in a lake."""
    reader = Reader(lake)
    plan = plans.next_to_load(plans.planned_weeks(reader, "north_texas"))
    assert plan is not None
    plans.bring_in_step(reader, plan)
    stores = lines.stores_of(reader, plan)
    one = lines.lines_of(reader, plan, stores[0]["store_id"])
    key = ("north_texas", one[0]["store_id"], one[0]["product_id"])
    span = overview.settled(reader)
    assert len(stores) == 8
    assert span is not None
    found: list[object] = [
        plan,
        stores,
        one,
        span,
        overview.errors(reader, span),
        overview.error_trend(reader),
        overview.plans(reader, plan.origin.monday),
    ]
    return [
        *found,
        scoring.forecasts(reader, *key, plan.origin),
        scoring.actuals(reader, *key, plan.origin + -8, plan.target),
        training.segments(reader, span, None),
    ]


def rounded(answer: Any) -> Any:
    """The same to nine digits: sums of floats hang on the order in which threads add them."""
    if isinstance(answer, float):
        return float(f"{answer:.9g}")
    if isinstance(answer, dict):
        return {key: rounded(value) for key, value in answer.items()}
    return [rounded(one) for one in answer] if isinstance(answer, list) else answer


def table_of(root: str) -> str:
    """A plan as the process of the pages hands it out, which has the store's keys from its environment."""
    with served(root, free_ports(1)[0]) as server:
        answer = httpx.get(f"{server.origin}/pages/orders/table?region=north_texas", headers=server.sign_in, timeout=60)
        sheet = httpx.get(f"{server.origin}/pages/orders/print?region=north_texas", headers=server.sign_in, timeout=60)
    assert (answer.status_code, sheet.status_code) == (200, 200)
    assert answer.text.count("\n") > 10
    return answer.text


def secrets_below(folder: Path, secret: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_a_store_without_a_lake_and_a_wrong_address_are_told_in_a_sentence(shelfcast: Command, root: str) -> None:
    none = shelfcast("status", "--root", root)
    assert none.exit_code == 1
    assert f"{root}/shelfcast.yaml does not exist: {root} is not a lake root yet." in " ".join(none.output.split())
    wrong = shelfcast("status", "--root", "gs://bucket/lake")
    assert wrong.exit_code == 1
    assert "The lake root is gs://bucket/lake; expected a folder, or an address like s3://bucket/prefix." in " ".join(wrong.output.split())
