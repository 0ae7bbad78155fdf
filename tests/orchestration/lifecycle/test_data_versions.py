"""The local end-to-end check on the obfuscated sample: versions of the data, what waits for a person, and that a backfill sees what was known then."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from models.members.settings import BoostingSettings, Settings
from orchestration.cli.app import app
from orchestration.people import login
from orchestration.project import Project
from transforms.calendar import Week
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake
from transforms.records.dataset_versions import latest_versions, log

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "obfuscated"
LAST = Week.parse("2024-06-24")
ORIGIN = LAST + -4


def shelfcast(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments])
    return result.exit_code, " ".join((result.output + (result.stderr or "")).split())


def land(root: Path, name: str, rows: pa.Table) -> None:
    target = root / "landing" / "obfuscated" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, target)


def forecasts(root: Path, origin: Week, region: str) -> list[dict[str, object]]:
    where = f"origin_week = date '{origin}' and region = '{region}'"
    rows = Lake(str(root)).read("gold/forecasts", where=where).sort_by([(n, "ascending") for n in CONTRACTS["gold/forecasts"].key])
    # Each run names itself.
    return rows.drop_columns(["run_id"]).to_pylist()


def rewritten(shipments: pa.Table, region: str) -> pa.Table:
    """Twice the units in one region, over half a year that lies before the origin."""
    week = shipments["week"]
    inside = pc.and_(
        pc.equal(shipments["region"], region),
        pc.and_(pc.greater(week, pa.scalar((ORIGIN + -28).monday)), pc.less(week, pa.scalar(ORIGIN.monday))),
    )
    units = pc.if_else(inside, pc.multiply(shipments["units_shipped"], 2), shipments["units_shipped"])
    return shipments.set_column(shipments.schema.get_field_index("units_shipped"), "units_shipped", units)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], dict[str, list[dict[str, object]]]]:
    """A root that knew the weeks up to ORIGIN when it forecast there, and then got the later weeks with one region's past rewritten."""
    root = tmp_path_factory.mktemp("story")
    settings = Settings(boosting=BoostingSettings(iterations=8, learning_rate=0.05, leaves=8))
    Project(provider=str(SAMPLE / "provider.yaml"), train_weeks=52, members=("lasso", "boosting"), settings=settings).save(root)
    full = {path.name: pq.read_table(path) for path in SAMPLE.glob("*.parquet")}
    for name, rows in full.items():
        early = rows.filter(pc.less_equal(rows["week"], pa.scalar(ORIGIN.monday))) if "week" in rows.column_names else rows
        land(root, name, early)
    code, output = shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")
    assert code == 0, output
    regions = sorted(set(full["stores.parquet"]["region"].to_pylist()))
    before = {region: forecasts(root, ORIGIN, region) for region in regions}
    for name, rows in full.items():
        land(root, name, rewritten(rows, regions[0]) if name == "shipments.parquet" else rows)
    return root, regions, before


def test_models_and_forecasts_name_the_version_of_their_data(story: tuple[Path, list[str], dict[str, list[dict[str, object]]]]) -> None:
    root, regions, before = story
    first = {str(dataset.region): dataset for dataset in log(Lake(str(root)))[:2]}
    assert set(first) == set(regions)
    for region, dataset in first.items():
        assert (dataset.status, dataset.last_week) == ("approved", ORIGIN)
        assert {row["dataset_version"] for row in before[region]} == {dataset.version}
    models = Lake(str(root)).read("gold/model_versions").to_pylist()
    # The pooled models are made from several regions' data and name them among their inputs.
    own = {(row["region"], row["dataset_version"]) for row in models if row["region"] != "all"}
    assert own == {(region, dataset.version) for region, dataset in first.items()}


def test_a_rewritten_past_waits_for_a_person_and_holds_up_no_other_region(story: tuple[Path, list[str], dict[str, list[dict[str, object]]]]) -> None:
    root, (changed, other), _ = story
    code, output = shelfcast("run", "--week", str(ORIGIN + 1), "--root", str(root), "--local")
    assert code == 1
    assert f"{changed}: week {ORIGIN + 1} is only in data version" in output
    assert "which is awaiting approval: share rewritten" in output
    assert f"shelfcast data approve --region {changed} --by NAME --why" in output
    assert forecasts(root, ORIGIN + 1, other)
    assert not forecasts(root, ORIGIN + 1, changed)

    code, output = shelfcast("data", "diff", "--region", changed, "--root", str(root))
    assert code == 0, output
    assert "demand" in output
    assert f"With the champions of {ORIGIN}: " in output
    assert "of the demand forecast." in output

    code, output = shelfcast("data", "approve", "--region", changed, "--why", "carrier confirmed", "--by", "ada", "--root", str(root))
    assert code == 0, output
    dataset = next(found for found in latest_versions(Lake(str(root))) if str(found.region) == changed)
    assert (dataset.status, dataset.actor, dataset.reason) == ("approved", f"ada (login {login()})", "carrier confirmed")
    code, output = shelfcast("run", "--week", str(ORIGIN + 1), "--root", str(root), "--local")
    assert code == 0, output
    assert {row["dataset_version"] for row in forecasts(root, ORIGIN + 1, changed)} == {dataset.version}
    code, output = shelfcast("data", "log", "--region", changed, "--root", str(root))
    assert "carrier confirmed" in output


def test_a_backfill_sees_what_was_known_then(story: tuple[Path, list[str], dict[str, list[dict[str, object]]]]) -> None:
    root, (changed, other), before = story
    assert shelfcast("backfill", "--from", str(ORIGIN), "--until", str(ORIGIN), "--root", str(root), "--local")[0] == 0
    assert forecasts(root, ORIGIN, changed) == before[changed]
    assert forecasts(root, ORIGIN, other) == before[other]

    project = Project.load(root)
    project.model_copy(update={"history": "as_corrected"}).save(root)
    assert shelfcast("backfill", "--from", str(ORIGIN), "--until", str(ORIGIN), "--root", str(root), "--local")[0] == 0
    project.save(root)
    corrected = forecasts(root, ORIGIN, changed)
    assert sum(row["expected"] for row in corrected) > 1.2 * sum(row["expected"] for row in before[changed])  # type: ignore[misc, arg-type]


def test_a_version_that_was_rejected_is_not_used(story: tuple[Path, list[str], dict[str, list[dict[str, object]]]]) -> None:
    root, (_, other), _ = story
    assert shelfcast("data", "reject", "--region", other, "--why", "wrong carrier", "--by", "ada", "--root", str(root))[0] == 0
    code, output = shelfcast("run", "--week", str(ORIGIN + 2), "--region", other, "--root", str(root), "--local")
    assert code == 1
    assert "which is rejected" in output
    assert not forecasts(root, ORIGIN + 2, other)


def test_a_slice_is_exported_as_csv_and_parquet(story: tuple[Path, list[str], dict[str, list[dict[str, object]]]], tmp_path: Path) -> None:
    root, (region, _), _ = story
    options = ("--region", region, "--from", str(ORIGIN), "--until", str(ORIGIN), "--root", str(root))
    wanted = Lake(str(root)).read("gold/demand", where=f"region = '{region}' and week = date '{ORIGIN}'").num_rows
    for ending in ("csv", "parquet"):
        code, output = shelfcast("export", "gold/demand", "--to", str(tmp_path / f"demand.{ending}"), *options)
        assert code == 0, output
    assert pq.read_table(tmp_path / "demand.parquet").num_rows == wanted
    lines = (tmp_path / "demand.csv").read_text().splitlines()
    assert lines[0] == ",".join(CONTRACTS["gold/demand"].names)
    assert len(lines) == wanted + 1
    assert shelfcast("export", "gold/demand", "--to", str(tmp_path / "demand.xls"), *options)[0] == 1
    assert shelfcast("export", "gold/nothing", "--to", str(tmp_path / "demand.csv"), *options)[0] == 1
