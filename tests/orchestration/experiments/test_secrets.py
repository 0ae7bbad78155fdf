"""Where a password goes that somebody gave Shelfcast: nowhere."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.experiments.mlflow_mirror import catch_up, mirror_registry
from orchestration.experiments.tracking import MlflowTracker
from orchestration.project import Project
from orchestration.settings import Settings
from transforms.calendar import Week
from transforms.errors import MissingData
from transforms.lake.tables import Lake
from transforms.landing import last_week
from transforms.redaction import redacted

SECRET = "c4n4ry-p4ss"
DOWN = f"http://mirror:{SECRET}@127.0.0.1:9"


def holding(root: Path, text: str) -> list[str]:
    """Files of a root that hold a text."""
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"http://mirror:{SECRET}@host:5000/x", "http://***@host:5000/x"),
        (f"https://{SECRET}@host", "https://***@host"),
        (f"postgresql+psycopg2://mirror:{SECRET.replace('-', '%2D')}@host/db", "postgresql+psycopg2://***@host/db"),
        (f"http://mirror:/{SECRET}@host", "http://***"),
        (f"http://mirror:{SECRET}@host/?to=a@b", "http://***"),
        (f"postgresql://host/db?user=mirror&password={SECRET}", "postgresql://host/db?***"),
        ("http://host:5000", "http://host:5000"),
        ("sqlite:////lakes/mlflow.db", "sqlite:////lakes/mlflow.db"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    password = f"/{SECRET}" if f"/{SECRET}" in address.partition("://")[2] else SECRET
    assert redacted(address, address) == shown
    assert redacted(f"Max retries for {address}/api; login {password} refused", address) == (
        f"Max retries for {shown}/api; login {password if address == shown else '***'} refused"
    )


def test_settings_that_are_printed_show_no_password() -> None:
    keys = {"secret_access_key": SECRET}
    assert SECRET not in repr(Settings(tracking_uri=DOWN, storage_options=keys)) + repr(Lake("s3://lake", keys))


def test_a_mirror_names_its_server_without_the_password(tmp_path: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    lake, project = Lake(str(tmp_path)), Project(provider="secret")
    said = catch_up(lake, project, mlflow_server.replace("://", f"://mirror:{SECRET}@"))
    assert said == f"0 versions, 0 decisions and 0 aliases written to {mlflow_server.replace('://', '://***@')}"
    assert mirror_registry(lake, project, DOWN).startswith("behind: http://***@127.0.0.1:9 does not take it")
    for unusable in (DOWN, f"nothing://mirror:{SECRET}@host"):
        assert SECRET not in mirror_registry(lake, project, unusable)


def test_an_experiment_that_the_server_does_not_take_is_refused_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracker = MlflowTracker(DOWN)
    with pytest.raises(MissingData, match=r"http://\*\*\*@127.0.0.1:9 does not take the experiment") as refusal:
        tracker.runs("trial")
    assert SECRET not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__


@pytest.mark.slow
def test_the_password_of_the_tracking_server_is_in_no_file_of_the_root(small_lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    shutil.copytree(small_lake, root)
    monkeypatch.setenv("SHELFCAST_TRACKING_URI", DOWN)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    latest = last_week(Lake(str(root)))
    assert isinstance(latest, Week)
    done = CliRunner().invoke(app, ["run", "--week", str(latest + -3), "--root", str(root)])
    assert done.exit_code == 0, done.output
    refused = CliRunner().invoke(app, ["models", "mirror", "--root", str(root)])
    assert refused.exit_code == 1
    assert "http://***@127.0.0.1:9 does not take the registry" in refused.output.replace("\n", " ")
    assert holding(root, "127.0.0.1:9 does not take it"), "the run says nothing of the mirror: this test has lost its object"
    assert holding(root, SECRET) == []
    assert SECRET not in done.output + refused.output


def test_no_secret_that_is_given_stands_in_a_root_a_backup_or_an_answer(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place where secrets come in holds one of its own, and all that a lake's commands wrote and said is searched for them."""
    secrets = {
        name: f"c4n4ry-{name.lower().replace('_', '-')}-0123456789" for name in ("ERP", "KEY", "OPTIONS", "TRACKING", "SALT", "PROXY", "TOKEN")
    }
    monkeypatch.setenv("ERP", f"postgresql://owner:{secrets['ERP']}@127.0.0.1:9/shop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secrets["KEY"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("SHELFCAST_STORAGE_OPTIONS", json.dumps({"secret_access_key": secrets["OPTIONS"]}))
    monkeypatch.setenv("SHELFCAST_TRACKING_URI", DOWN.replace(SECRET, secrets["TRACKING"]))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("SHELFCAST_SALT", secrets["SALT"])
    monkeypatch.setenv("SHELFCAST_PROXY_SECRET", secrets["PROXY"])
    asked = shop / "asked.yaml"
    query = (
        '    - files: erp/shipments.parquet\n      format: parquet\n      database: ERP\n      query: "select id, sku, week, units from shipments"\n'
    )
    asked.write_text((shop / "corner_shop.yaml").read_text().replace('    - files: "shipments/*.csv"\n      format: csv\n', query))
    root, backup = tmp_path / "root", tmp_path / "backup"
    said = [
        CliRunner().invoke(app, command).output
        for command in (
            ["init", "--provider", str(shop / "corner_shop.yaml"), "--landing", str(shop), "--root", str(root)],
            ["init", "--provider", str(asked), "--landing", str(shop), "--root", str(tmp_path / "other")],
            ["fetch", "--root", str(tmp_path / "other")],
            ["obfuscate", "--to", str(tmp_path / "sample"), "--root", str(root)],
            ["models", "mirror", "--root", str(root)],
            ["status", "--root", str(root)],
        )
    ]
    (root / "ui-3000.token").write_text(secrets["TOKEN"])
    said.append(CliRunner().invoke(app, ["backup", "--to", str(backup), "--root", str(root)]).output)
    (root / "ui-3000.token").unlink()
    assert "no connection to the database in ERP" in " ".join(said).replace("\n", " ")
    assert list((root / "dagster").rglob("*.db"))
    assert list(backup.rglob("*"))
    held = {name: holding(tmp_path, secret) for name, secret in secrets.items()}
    assert held == {name: [] for name in secrets}
    assert [name for name, secret in secrets.items() if secret in "".join(said)] == []
