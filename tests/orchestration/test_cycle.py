"""The command line on a small world, in one process: the whole cycle, what it refuses, and that the future cannot be seen."""

from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.project import Project
from transforms.adapters import load_provider
from transforms.calendar import Week
from transforms.contracts import CONTRACTS
from transforms.lake import Lake
from transforms.landing import folder
from transforms.registry import events_of, states
from transforms.world import WorldSpec, simulate, write_landing

SPEC = WorldSpec(regions=2, stores_per_region=8, products=12, weeks=84)
WORLD = simulate(SPEC)
ORIGIN = WORLD.last + -4


def shelfcast(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments])
    return result.exit_code, " ".join((result.output + (result.stderr or "")).split())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cycle")
    Project(provider="sample", train_weeks=56).save(root)
    write_landing(WORLD, folder(Lake(str(root)), load_provider("sample")))
    code, output = shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")
    assert code == 0, output
    return root


def forecasts(root: Path) -> pa.Table:
    return (
        Lake(str(root))
        .read("gold/forecasts", where=f"origin_week = date '{ORIGIN}'")
        .sort_by([(name, "ascending") for name in CONTRACTS["gold/forecasts"].key])
    )


def test_every_gold_table_is_as_its_contract_says(root: Path) -> None:
    lake = Lake(str(root))
    # The weather report is asked for; a test of its own makes it.
    for name in (name for name in CONTRACTS if name.startswith("gold/") and name != "gold/weather_value"):
        table = lake.read(name)
        assert table.num_rows > 0, name
        assert set(table.column_names) == set(CONTRACTS[name].names)
        for column in CONTRACTS[name].columns:
            if column.required:
                assert table[column.name].null_count == 0, f"{name}.{column.name}"


def test_a_local_run_leaves_no_run_history(root: Path) -> None:
    assert not (root / "dagster").exists()


def test_models_are_registered_judged_and_promoted(root: Path) -> None:
    lake = Lake(str(root))
    versions = lake.read("gold/model_versions").to_pylist()
    assert {(row["region"], row["format"], row["mover"]) for row in versions} == {
        (region, format_, mover) for region in ("north_texas", "south_texas") for format_ in ("large", "small") for mover in ("fast", "slow", "all")
    } | {("all", format_, mover) for format_ in ("large", "small") for mover in ("fast", "slow")}
    for row in versions:
        decisions = [event["event"] for event in events_of(lake, row["model_version"])]
        assert decisions[0] == "awaiting validation"
        assert decisions[1] in {"champion", "rejected"}
        assert (root / row["artifact_uri"]).exists()


def test_forecasts_beat_the_historical_average(root: Path) -> None:
    rows = Lake(str(root)).read("gold/accuracy").to_pylist()
    assert {Week(row["week"]) for row in rows} == {ORIGIN + h for h in range(1, 5)}
    hits = [(row["n"] - row["n_zero"], row["mape"], row["baseline_mape"]) for row in rows if row["mape"] is not None]
    mape, baseline = (sum(n * values[i] for n, *values in hits) / sum(n for n, *_ in hits) for i in (0, 1))
    assert mape < 0.45
    assert mape < 0.75 * baseline


def test_running_again_replaces_and_does_not_add(root: Path) -> None:
    before = forecasts(root)
    code, output = shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")
    assert code == 0, output
    assert "0 retrained, 12 reused" in shelfcast("models", "retraining", "--root", str(root))[1]
    assert forecasts(root).equals(before)


def test_where_artifacts_are_gone_the_pooled_models_forecast_and_say_why(root: Path) -> None:
    lake = Lake(str(root))
    before = forecasts(root)
    segment = {"region": "north_texas", "format": "large", "mover": "fast"}
    row = next(row for row in lake.read("gold/model_versions").to_pylist() if segment.items() <= row.items())
    content = (root / row["artifact_uri"]).read_bytes()
    (root / row["artifact_uri"]).unlink()
    assert shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")[0] == 0
    changed = [made for made in forecasts(root).to_pylist() if made["rung"] != "champion"]
    (root / row["artifact_uri"]).write_bytes(content)
    assert changed
    for made in changed:
        assert segment.items() <= made.items()
        assert (made["rung"], made["model_version"].split("-")[0]) == ("pooled", "all")
        assert f"champion {row['model_version']}: Model artifact {Path(row['artifact_uri']).name} is missing" in made["rung_reason"]
    assert shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")[0] == 0
    assert forecasts(root).equals(before)


def test_the_models_command_shows_decides_and_refuses(root: Path) -> None:
    place = ("--root", str(root))
    code, output = shelfcast("models", "ledger", "--on", str((ORIGIN + 1).monday), *place)
    assert code == 0, output
    assert "8 ensembles, 4 historical averages, 4 pooled models." in output
    assert "0 ensembles, 0 historical averages, 0 pooled models." in shelfcast("models", "ledger", "--on", str(ORIGIN), *place)[1], (
        "the week had not ended"
    )
    row = next(row for row in states(Lake(str(root))) if (row["state"], row["kind"], row["region"]) == ("champion", "ensemble", "north_texas"))
    champion = row["model_version"]
    code, output = shelfcast("models", "show", champion, *place)
    assert code == 0, output
    assert "against champion" in output or "no other champion to compare with" in output
    decided = ("--by", "ada", "--why", "test", *place)
    for arguments, message in (
        (("approve", champion, *decided), f"{champion} is champion already: there is nothing to approve."),
        (("reject", champion, *decided), f"{champion} is champion: only a version that is awaiting validation can be rejected."),
        (("approve", "nobody", *decided), "nobody is not on record: 'shelfcast models list' names the versions."),
        (("rollback", *decided), "rollback needs one of --to DATE and --previous: say what shall come back."),
        (("mirror", *place), "There is no mirror: set SHELFCAST_TRACKING_URI to the address of an MLflow tracking server."),
    ):
        code, output = shelfcast("models", *arguments)
        assert code == 1, output
        assert message in output
    code, output = shelfcast("models", "rollback", "--previous", *decided)
    assert code == 0
    assert "Nothing to roll back" in output


def test_changing_the_future_changes_no_forecast(root: Path) -> None:
    before = forecasts(root).drop_columns(["model_version"])
    top = folder(Lake(str(root)), load_provider("sample"))
    for week in (ORIGIN + 1, ORIGIN + 3):
        path = top / "shipments" / f"shipments_{week}.csv"
        head, *lines = path.read_text(encoding="latin-1").splitlines()
        path.write_text("\n".join([head, *(f"{line.rsplit(',', 1)[0]},7" for line in lines[::-2])]) + "\n", encoding="latin-1")
        weather = top / "weather" / f"observed_{week}.csv"
        weather.write_text(weather.read_text().replace(",0.0\n", ",9.9\n"))
    code, output = shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local", "--retrain")
    assert code == 0, output
    assert "12 retrained, 0 reused" in shelfcast("models", "retraining", "--root", str(root))[1]
    assert forecasts(root).drop_columns(["model_version"]).equals(before)


def test_a_bad_file_is_refused_by_name_and_the_rest_goes_on(root: Path) -> None:
    lake = Lake(str(root))
    before = forecasts(root)
    bad = folder(lake, load_provider("sample")) / "shipments" / "shipments_extra.csv"
    bad.write_text(f"store,sku,week_of,cases,units\nS9999,P101,{(WORLD.last + 1).monday:%d.%m.%Y},1,6\n")
    code, output = shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")
    bad.unlink()
    assert code == 1
    assert "1 left out" in output
    assert "shipments/shipments_extra.csv, row 1, column store_id: expected a store of the stores source, came S9999." in output
    assert forecasts(root).num_rows == before.num_rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--week", "2023-05-30"], "Week 2023-05-30 is a Tuesday: a week is named by its Monday. Did you mean 2023-05-29?"),
        (["run", "--week", "soon"], "Week 'soon' is not a week key: expected the Monday of the week as YYYY-MM-DD"),
        (["run", "--week", "2030-01-07"], "Week 2030-01-07 has no shipments yet: the last week in the lake is"),
        (["run", "--week", str(ORIGIN), "--regions", "atlantis"], "Regions ['atlantis'] have no stores in the lake: expected some of north_texas, south_texas."),
        (["backfill", "--from", "2023-06-05", "--to", "2023-05-29"], "--from 2023-06-05 lies after --to 2023-05-29"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_explained(root: Path, arguments: list[str], message: str) -> None:
    code, output = shelfcast(*arguments, "--root", str(root), "--local")
    assert code == 1
    assert message in output


def test_a_folder_that_is_no_lake_says_how_to_make_one(tmp_path: Path) -> None:
    code, output = shelfcast("status", "--root", str(tmp_path))
    assert code == 1
    assert "is not a lake root yet. Run 'shelfcast init --provider sample' (or 'make demo') first." in output


@pytest.mark.parametrize("command", ["demo", "init", "run", "backfill", "status", "ui"])
def test_every_command_explains_itself(command: str) -> None:
    code, output = shelfcast(command, "--help")
    assert code == 0
    assert "--root" in output
