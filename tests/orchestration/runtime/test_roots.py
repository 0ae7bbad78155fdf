"""Lake roots: made once, with the provider's file in them, and kept as they are by whoever makes them again."""

from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.project import Project
from orchestration.runtime.provider_file import take_in_provider
from transforms.contracts import CONTRACTS
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.backup import read_backup
from transforms.lake.tables import Lake
from transforms.lake.vaults import FolderVault


def shelfcast(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments])
    return result.exit_code, " ".join((result.output + (result.stderr or "")).split())


def init(shop: Path, root: Path, *more: str) -> tuple[int, str]:
    return shelfcast("init", "--provider", str(shop / "corner_shop.yaml"), "--landing", str(shop), "--root", str(root), "--local", *more)


@pytest.fixture(scope="module")
def decided() -> str:
    """What persons decided about a lake."""
    return "provider: provider/corner_shop.yaml\n# ours\nhorizons: 6\npromotion: manual\nmembers: [lasso]\ngate: {max_mape: 0.3}\n"


@pytest.mark.slow
def test_init_on_a_lake_that_exists_keeps_what_was_decided_and_takes_in_more_files(
    shop: Path, tmp_path: Path, decided: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reset promotion from manual to automatic, and gate and members with it."""
    monkeypatch.setenv("SHELFCAST_WORKERS", "1")
    root = tmp_path / "root"
    assert init(shop, root)[0] == 0
    assert Project.load(root).provider == "provider/corner_shop.yaml"
    assert (root / "provider" / "corner_shop.yaml").read_text() == (shop / "corner_shop.yaml").read_text()
    (root / "shelfcast.yaml").write_text(decided)
    (shop / "shipments" / "2022-05-16.csv").write_text("id,sku,week,units\n1,A,2022-05-16,18\n")
    code, output = init(shop, root)
    assert code == 0, output
    assert (root / "shelfcast.yaml").read_text() == decided
    assert (root / "landing" / "corner_shop" / "shipments" / "2022-05-16.csv").exists()


def test_init_with_another_provider_or_other_horizons_is_refused(shop: Path, tmp_path: Path, decided: str) -> None:
    root = tmp_path / "root"
    (root / "provider").mkdir(parents=True)
    (root / "provider" / "corner_shop.yaml").write_text((shop / "corner_shop.yaml").read_text())
    (root / "shelfcast.yaml").write_text(decided)
    for arguments, message in (
        (("--provider", "sample"), f"{root} is a lake of provider 'corner_shop' already, came 'sample': choose another --root. Nothing was changed."),
        (
            ("--provider", str(shop / "corner_shop.yaml"), "--horizons", "4"),
            f"forecasts 6 weeks ahead, came --horizons 4: write 'horizons: 4' into {root}/shelfcast.yaml",
        ),
    ):
        code, output = shelfcast("init", *arguments, "--root", str(root), "--local")
        assert code == 1
        assert message in output
    code, output = shelfcast("demo", "--root", str(root), "--local")
    assert code == 1
    assert "is a lake of provider 'corner_shop' already" in output
    assert (root / "shelfcast.yaml").read_text() == decided
    assert not (root / "landing").exists()


def outside(shop: Path, root: Path) -> str:
    root.mkdir()
    text = f"# ours\nhorizons: 6\nprovider: {shop / 'corner_shop.yaml'}\npromotion: manual\n"
    (root / "shelfcast.yaml").write_text(text)
    return text


def test_a_provider_file_outside_of_the_lake_is_taken_in_once(shop: Path, tmp_path: Path) -> None:
    root, told = tmp_path / "root", list[str]()
    text = outside(shop, root)
    project = take_in_provider(Lake(str(root)), told.append)
    assert (root / "shelfcast.yaml").read_text() == text.replace(str(shop / "corner_shop.yaml"), "provider/corner_shop.yaml")
    assert project == Project.load(root)
    assert told == [
        f"{shop}/corner_shop.yaml was copied to {root}/provider/corner_shop.yaml, so that it is part of the lake and of its backups: "
        "edit it there from now on"
    ]
    take_in_provider(Lake(str(root)), pytest.fail)


def test_a_backup_holds_the_provider_file(shop: Path, tmp_path: Path) -> None:
    outside(shop, tmp_path / "root")
    code, output = shelfcast("backup", "--to", str(tmp_path / "vault"), "--root", str(tmp_path / "root"))
    assert code == 0, output
    assert "provider/corner_shop.yaml" in {entry.path for entry in read_backup(FolderVault(tmp_path / "vault")).entries}
    (shop / "corner_shop.yaml").unlink()
    assert shelfcast("restore", str(tmp_path / "vault"), "--root", str(tmp_path / "again"))[0] == 0
    take_in_provider(Lake(str(tmp_path / "again")), pytest.fail)


def test_a_provider_file_that_is_gone_or_differs_is_explained(shop: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    outside(shop, root)
    (root / "provider").mkdir()
    (root / "provider" / "corner_shop.yaml").write_text("name: other")
    with pytest.raises(ConfigurationError, match=r"provider/corner_shop.yaml differs from .*Edit that one, or remove it"):
        take_in_provider(Lake(str(root)), pytest.fail)
    (shop / "corner_shop.yaml").unlink()
    with pytest.raises(
        MissingData, match=r"which does not exist: put it back, or put a copy into .* and write 'provider: provider/corner_shop.yaml'"
    ):
        take_in_provider(Lake(str(root)), pytest.fail)


@pytest.mark.parametrize(
    "command",
    [
        "audit verify",
        "audit page",
        "backup --to VAULT",
        "maturity",
        "models list",
        "models ledger --on 2024-05-06",
        "ab list",
        "data log",
        "data show gold/demand",
        "trace model m1",
        "status",
        "plan --target 2024-05-06 --to VAULT",
        "money --from 2024-05-06 --until 2024-05-06",
        "export gold/demand --to VAULT/demand.csv",
    ],
)
def test_a_root_that_was_typed_wrong_is_refused_by_every_command(command: str, tmp_path: Path) -> None:
    """Its record was told to be intact with exit code 0, and its backup was made: of nothing."""
    (tmp_path / "typo").mkdir()
    code, output = shelfcast(*command.replace("VAULT", str(tmp_path / "vault")).split(), "--root", str(tmp_path / "typo"))
    assert code == 1
    assert f"{tmp_path}/typo is not a lake root yet" in output
    assert "If the lake is elsewhere, name it by --root or SHELFCAST_ROOT." in output
    assert [path.name for path in tmp_path.rglob("*")] == ["typo"]


@pytest.mark.parametrize(
    "command",
    [
        "models list --region nowhere",
        "models ledger --on 2023-07-12 --region nowhere",
        "models retraining --region nowhere",
        "data log --region nowhere",
        "data show gold/demand --region nowhere",
        "data diff --region nowhere",
        "data approve --region nowhere --by ada --why checked",
        "export gold/demand --to OUT/demand.csv --region nowhere",
        "why --region nowhere --store 1 --product A --week 2023-07-10",
    ],
)
def test_a_region_that_there_is_not_is_no_region_without_rows(command: str, tmp_path: Path) -> None:
    """A typing error gave an empty list, an empty file or 'run init first', mostly with exit code 0."""
    root = tmp_path / "root"
    Project(provider="sample").save(root)
    stores = CONTRACTS["bronze/stores"].schema
    row = dict.fromkeys(stores.names) | {"region": "north_texas", "store_id": "1"}
    Lake(str(root)).overwrite("bronze/stores", pa.Table.from_pylist([row], schema=stores))
    code, output = shelfcast(*command.replace("OUT", str(tmp_path)).split(), "--root", str(root))
    assert code == 1
    assert "Region nowhere has no stores in the lake: expected one of north_texas" in output


@pytest.mark.parametrize(
    "command", ["plan --to OUT", "why --region north_texas --store 1 --product A", "trace forecast --region a --store 1 --product A"]
)
def test_without_a_week_a_lake_that_has_none_says_so(command: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    Project(provider="sample").save(root)
    code, output = shelfcast(*command.replace("OUT", str(tmp_path)).split(), "--root", str(root))
    assert code == 1
    assert "No deliveries have landed yet, so there is no newest week: drop files into landing and run 'shelfcast run'." in output


def test_a_state_that_there_is_not_is_refused(tmp_path: Path) -> None:
    Project(provider="sample").save(tmp_path / "root")
    code, output = shelfcast("models", "list", "--state", "champions", "--root", str(tmp_path / "root"))
    assert code == 1
    assert "--state champions: expected one of trained, awaiting validation, champion, rejected, retired, rolled back." in output


def test_a_place_to_write_to_that_is_taken_is_no_defect(tmp_path: Path) -> None:
    Project(provider="sample").save(tmp_path / "root")
    (tmp_path / "taken").write_text("")
    code, output = shelfcast("backup", "--to", str(tmp_path / "taken"), "--root", str(tmp_path / "root"))
    assert code == 1
    assert "/taken" in output
    assert "Move it away, or name another place." in output
    assert "defect" not in output


@pytest.mark.parametrize(
    "command",
    [
        "models approve m --by ada --why BLANK",
        "models reject m --by BLANK --why checked",
        "models rollback --previous --by BLANK --why checked",
        "data approve --region ohio --by ada --why BLANK",
        "data reject --region ohio --why checked --by BLANK",
        "ab stop t --by ada --why BLANK",
    ],
)
def test_a_decision_without_who_or_why_is_refused(command: str, tmp_path: Path) -> None:
    Project(provider="sample").save(tmp_path / "root")
    arguments = ["  " if word == "BLANK" else word for word in command.split()]
    code, output = shelfcast(*arguments, "--root", str(tmp_path / "root"))
    assert code == 2
    assert "it is kept for good with the decision" in output
