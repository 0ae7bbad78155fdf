"""Backups in an object store: whole or none, restored anywhere, and without a secret."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from orchestration.project import Project
from orchestration.runtime.cycle import initialise
from orchestration.settings import settings_of, vault_options
from tests.transforms.lake.test_store_tables import REGIONS, WEEK, demand
from transforms.adapters import load_provider
from transforms.calendar import SliceBlock
from transforms.errors import AuditFailed, ConfigurationError, MissingData
from transforms.lake.backup import Copied, back_up, damage, read_backup, restore_lake
from transforms.lake.remote.working_copy import brought, push, store_of
from transforms.lake.tables import Lake
from transforms.lake.vaults import StoreVault, Vault, vault_at
from transforms.stores.objects import ObjectStore, StoreUnreachable

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
FILES = ("landing/shop/week 1.csv", "models/ohio/a.safetensors", "reports/a.html", "staged/shop/s/1.parquet", "provider/shop.yaml", "roles.yaml")


@pytest.fixture
def place(s3_server: Any, bucket: S3Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Address of an empty bucket that the environment can open."""
    for name, value in {**s3_server.environment, "SHELFCAST_STATE": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    return f"s3://{bucket.config['bucket']}"


def lake_at(root: str) -> Lake:
    return Lake(root, settings_of(root).storage_options)


def filled(root: str) -> Lake:
    lake = lake_at(root)
    for units in (1, 2):
        lake.replace("gold/demand", SliceBlock(REGIONS[:1], WEEK, WEEK), demand(REGIONS[0], WEEK, units))
    for name in (*FILES, "shelfcast.yaml"):
        file = lake.path(*name.split("/"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
        push(lake, file)
    return lake


def kept_in(lake: Lake, vault: Vault, hours: int = 0) -> Copied:
    return back_up(lake, vault, {}, NOON + timedelta(hours=hours))


def vault_in(place: str) -> Vault:
    return vault_at(place, vault_options(place))


@pytest.mark.parametrize("source", ["folder", "store"])
@pytest.mark.parametrize("target", ["folder", "store"])
def test_a_backup_in_a_store_brings_a_lake_back_wherever_it_was(place: str, tmp_path: Path, source: str, target: str) -> None:
    lake = filled(str(tmp_path / "lake") if source == "folder" else f"{place}/first/lake")
    kept_in(lake, vault_in(f"{place}/vault"))
    vault = vault_in(f"{place}/vault")
    again = lake_at(str(tmp_path / "again") if target == "folder" else f"{place}/second/lake")
    restore_lake(vault, read_backup(vault), again)
    assert [again.read("gold/demand", version=version)["demand"].to_pylist() for version in (0, 1)] == [[1], [2]]
    assert [brought(again, *name.split("/")).read_text() for name in FILES] == [*FILES]
    assert brought(again, "shelfcast.yaml").read_text() == "shelfcast.yaml"


def test_a_second_backup_puts_only_what_is_new_into_a_store(place: str, tmp_path: Path) -> None:
    lake = filled(str(tmp_path / "lake"))
    kept_in(lake, vault_in(f"{place}/vault"))
    lake.path("models", "ohio", "b.safetensors").write_text("other weights")
    second = kept_in(lake, vault_in(f"{place}/vault"), 1)
    assert (second.new_files, second.new_bytes) == (1, len("other weights"))
    assert len(vault_in(f"{place}/vault").manifests()) == 2


def test_a_backup_that_was_cut_off_is_none_and_the_next_one_goes_on(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, keep, kept = filled(str(tmp_path / "lake")), StoreVault.keep, list[str]()

    def cut_off_after_three(vault: StoreVault, sha256: str, file: Path) -> None:
        if len(kept) == 3:
            raise ConfigurationError("the store is gone")
        kept.append(sha256)
        keep(vault, sha256, file)

    with monkeypatch.context() as cut:
        cut.setattr(StoreVault, "keep", cut_off_after_three)
        with pytest.raises(ConfigurationError, match="the store is gone"):
            kept_in(lake, vault_in(f"{place}/vault"))
    with pytest.raises(MissingData, match=f"^{place}/vault holds no backup"):
        read_backup(vault_in(f"{place}/vault"))
    whole = kept_in(lake, vault_in(f"{place}/vault"))
    assert whole.new_files == len({entry.sha256 for entry in whole.backup.entries}) - 3
    assert damage(vault_in(f"{place}/vault"), whole.backup) == []


def test_contents_that_are_gone_from_a_store_or_changed_there_are_told_and_nothing_is_restored(place: str, bucket: S3Store, tmp_path: Path) -> None:
    held = kept_in(filled(str(tmp_path / "lake")), vault_in(f"{place}/vault")).backup
    model, page = (next(entry.sha256 for entry in held.entries if entry.path.startswith(name)) for name in ("models", "reports"))
    obstore.delete(bucket, f"vault/objects/{model[:2]}/{model}")
    obstore.put(bucket, f"vault/objects/{page[:2]}/{page}", b"another page")
    assert [reason.partition(" (")[0].partition(" was SHA")[0] for reason in damage(vault_in(f"{place}/vault"), held)] == [
        "models/ohio/a.safetensors has no content any more",
        "reports/a.html",
    ]
    with pytest.raises(AuditFailed, match=r"is damaged: models/ohio/a.safetensors has no content any more .* and 1 more. Nothing was restored"):
        restore_lake(vault_in(f"{place}/vault"), held, Lake(str(tmp_path / "again")))
    assert not (tmp_path / "again").exists()


def test_a_restore_into_a_store_that_was_cut_off_is_no_lake_and_goes_on_when_given_again(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = vault_in(f"{place}/vault")
    held, other = (kept_in(filled(str(tmp_path / name)), vault, hours).backup for hours, name in enumerate(("lake", "other")))
    root, write, written = lake_at(f"{place}/again"), ObjectStore.write, list[str]()

    def cut_off_after_five(store: ObjectStore, key: str, *more: Any) -> Any:
        if len(written) == 5:
            raise StoreUnreachable("no server answers there.")
        written.append(key)
        return write(store, key, *more)

    with monkeypatch.context() as cut:
        cut.setattr(ObjectStore, "write", cut_off_after_five)
        with pytest.raises(ConfigurationError, match="no server answers there"):
            restore_lake(vault, held, root)
    half = f"again holds what a restore of {held.name} left that was cut off"
    with pytest.raises(ConfigurationError, match=half):
        restore_lake(vault, other, root)
    with pytest.raises(ConfigurationError, match=half):
        initialise(root, load_provider("sample"), "sample", None, None)
    with pytest.raises(MissingData, match="is not a lake root yet"):
        Project.of(root)
    assert restore_lake(vault, held, root) == ""
    assert root.read("gold/demand")["demand"].to_pylist() == [2]
    with pytest.raises(ConfigurationError, match="is not empty: a backup is restored into a root that does not exist yet"):
        restore_lake(vault, held, root)


def test_a_lake_whose_store_lost_everything_is_restored_at_its_address_and_this_machine_s_run_history_is_put_aside(place: str) -> None:
    lake = filled(f"{place}/lake")
    held = kept_in(lake, vault_in(f"{place}/vault")).backup
    history = lake.path("dagster", "runs.db")
    history.parent.mkdir()
    history.write_text("runs since the backup")
    store = store_of(lake)
    for page in list(store.pages("")):
        for one in page:
            store.delete(one.key)
    aside = restore_lake(vault_in(f"{place}/vault"), held, lake)
    assert Path(aside, "dagster", "runs.db").read_text() == "runs since the backup"
    assert lake.read("gold/demand")["demand"].to_pylist() == [2]


@pytest.mark.parametrize("inside", ["lake", "lake/backups", ""])
def test_a_backup_inside_of_its_lake_is_refused(place: str, inside: str) -> None:
    with pytest.raises(ConfigurationError, match="lie inside each other: choose an address elsewhere, best in another bucket"):
        kept_in(filled(f"{place}/lake"), vault_in(f"{place}/{inside}".rstrip("/")))


def test_a_backup_in_a_store_of_another_kind_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="The place of the backup is gs://bucket/vault; expected a folder, or an address like s3://"):
        vault_options("gs://bucket/vault")


def test_no_secret_is_in_a_backup(place: str, bucket: S3Store, s3_server: Any) -> None:
    lake = filled(f"{place}/lake")
    lake.path("ui-3000.token").write_text("c4n4ry-t0ken")
    kept_in(lake, vault_in(f"{place}/vault"))
    contents = [bytes(obstore.get(bucket, one["path"]).bytes()) for page in obstore.list(bucket, "vault") for one in page]
    assert len(contents) > len(FILES)
    assert [content for content in contents if s3_server.secret.encode() in content or b"c4n4ry" in content] == []
