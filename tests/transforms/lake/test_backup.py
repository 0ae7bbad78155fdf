"""Backups hold what they say, cost what is new, and are restored whole or not at all."""

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from transforms.errors import AuditFailed, ConfigurationError, MissingData
from transforms.lake.backup import Copied, back_up, damage, read_backup, restore
from transforms.lake.tables import Lake
from transforms.lake.vaults import FolderVault
from transforms.records.audit import heads_of
from transforms.records.model_registry import ModelEvent, decide

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)


def decision(number: int) -> ModelEvent:
    return ModelEvent(f"ohio-large-fast-{number}", "ohio", "large", "fast", NOON, date(2024, 5, 6), "champion", "gate", "MAPE 0.300")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "root"))
    decide(lake, [decision(1)])
    for name, text in {"shelfcast.yaml": "provider: sample\n", "models/ohio/a.safetensors": "weights", "landing/sample/a.csv": "1,2\n"}.items():
        path = lake.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return lake


def back_up_at(lake: Lake, target: Path, hours: int = 0) -> Copied:
    return back_up(lake, FolderVault(target), heads_of(lake), NOON + timedelta(hours=hours))


def content(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}


def test_a_restored_root_holds_the_same_files(lake: Lake, tmp_path: Path) -> None:
    back_up_at(lake, tmp_path / "backup")
    restore(FolderVault(tmp_path / "backup"), read_backup(FolderVault(tmp_path / "backup")), tmp_path / "again")
    assert content(tmp_path / "again") == content(lake.path())
    assert heads_of(Lake(str(tmp_path / "again"))) == heads_of(lake)


@pytest.mark.parametrize("path", ["/tmp/evil", "../evil", "models/../../evil", "./a", "a//b", "a/", "", "a\0b", "shelfcast.yaml"], ids=repr)
def test_a_manifest_that_names_files_outside_of_the_root_or_twice_restores_nothing(lake: Lake, tmp_path: Path, path: str) -> None:
    """Whoever could write a backup wrote any file of the operator, since a manifest's name is made of its own content."""
    made_up(back_up_at(lake, tmp_path / "backup"), tmp_path / "backup", {"path": path})
    with pytest.raises(AuditFailed, match=r"is none that 'shelfcast backup' wrote .* Nothing was restored"):
        read_backup(FolderVault(tmp_path / "backup"))


@pytest.mark.parametrize("change", [{"sha256": "../../x"}, {"size": -1}, {"size": "many"}, {"more": 1}], ids=str)
def test_a_manifest_with_other_values_than_are_written_is_told(lake: Lake, tmp_path: Path, change: dict[str, object]) -> None:
    made_up(back_up_at(lake, tmp_path / "backup"), tmp_path / "backup", {"path": "new", **change})
    with pytest.raises(AuditFailed, match=r"is none that 'shelfcast backup' wrote"):
        read_backup(FolderVault(tmp_path / "backup"))


def made_up(done: Copied, target: Path, change: dict[str, object]) -> None:
    """Write another manifest, with one more file, under the name that its content gives it."""
    [path] = (target / "manifests").glob("*.json")
    manifest = json.loads(path.read_text())
    manifest["entries"].append({**manifest["entries"][0], **change})
    content = json.dumps(manifest).encode()
    name = f"{done.backup.name.rpartition('-')[0]}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.unlink()
    path.with_name(f"{name}.json").write_bytes(content)


def test_a_second_backup_copies_only_what_is_new(lake: Lake, tmp_path: Path) -> None:
    first = back_up_at(lake, tmp_path / "backup")
    assert back_up_at(lake, tmp_path / "backup", 1).new_files == 0
    lake.path("models/ohio/b.safetensors").write_text("other weights")
    third = back_up_at(lake, tmp_path / "backup", 2)
    assert (third.new_files, third.new_bytes) == (1, len("other weights"))
    assert len(FolderVault(tmp_path / "backup").manifests()) == 3
    assert read_backup(FolderVault(tmp_path / "backup"), first.backup.name).entries == first.backup.entries


def test_an_older_backup_brings_back_what_it_held(lake: Lake, tmp_path: Path) -> None:
    before = content(lake.path())
    first = back_up_at(lake, tmp_path / "backup").backup
    decide(lake, [decision(2)])
    lake.path("models/ohio/a.safetensors").write_text("changed")
    back_up_at(lake, tmp_path / "backup", 1)
    restore(FolderVault(tmp_path / "backup"), first, tmp_path / "again")
    assert content(tmp_path / "again") == before


def test_what_a_table_got_after_its_version_was_taken_is_left_out(lake: Lake, tmp_path: Path) -> None:
    """A data file whose commit never came, as a writer leaves it that was killed or is still at work."""
    stray = lake.path("lake", "gold/model_events", "part-stray.parquet")
    stray.write_text("half a commit")
    made = back_up_at(lake, tmp_path / "backup").backup
    assert made.tables == {"gold/audit_heads": 0, "gold/model_events": 0}
    assert stray.name not in {Path(entry.path).name for entry in made.entries}


def test_past_versions_stay_readable_after_a_restore(lake: Lake, tmp_path: Path) -> None:
    decide(lake, [decision(2)])
    back_up_at(lake, tmp_path / "backup")
    restore(FolderVault(tmp_path / "backup"), read_backup(FolderVault(tmp_path / "backup")), tmp_path / "again")
    again = Lake(str(tmp_path / "again"))
    assert [again.read("gold/model_events", version=version).num_rows for version in (0, 1)] == [1, 2]


def test_run_history_is_copied_whole_while_it_is_written(lake: Lake, tmp_path: Path) -> None:
    path = lake.path("dagster", "runs.db")
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as live:
        live.execute("pragma journal_mode = wal")
        live.execute("create table runs (id text)")
        live.commit()
        # Committed, and as yet in the log beside the file alone.
        live.execute("insert into runs values ('a')")
        live.commit()
        live.execute("insert into runs values ('not committed')")
        back_up_at(lake, tmp_path / "backup")
    restore(FolderVault(tmp_path / "backup"), read_backup(FolderVault(tmp_path / "backup")), tmp_path / "again")
    with closing(sqlite3.connect(tmp_path / "again" / "dagster" / "runs.db")) as restored:
        assert restored.execute("select id from runs").fetchall() == [("a",)]


def damaged(source: Path, name: str) -> Path:
    entry = next(entry for entry in read_backup(FolderVault(source)).entries if entry.path == name)
    return source / "objects" / entry.sha256[:2] / entry.sha256


def test_a_damaged_content_is_refused_by_name_and_nothing_is_restored(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "backup"
    back_up_at(lake, source)
    damaged(source, "models/ohio/a.safetensors").write_text("weightz")
    with pytest.raises(AuditFailed, match=r"is damaged: models/ohio/a.safetensors was SHA-256 \w+\.\.\., its content is .* Nothing was restored\."):
        restore(FolderVault(source), read_backup(FolderVault(source)), tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "root"]
    assert len(damage(FolderVault(source), read_backup(FolderVault(source)))) == 1


def test_a_content_that_is_gone_is_refused_by_name(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "backup"
    back_up_at(lake, source)
    damaged(source, "landing/sample/a.csv").unlink()
    with pytest.raises(AuditFailed, match=r"landing/sample/a.csv has no content any more"):
        restore(FolderVault(source), read_backup(FolderVault(source)), tmp_path / "again")


def test_an_edited_manifest_is_refused(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "backup"
    back_up_at(lake, source)
    second = back_up_at(lake, source, 1).backup
    manifest = source / "manifests" / f"{second.name}.json"
    manifest.write_text(manifest.read_text().replace("landing/", "elsewhere/"))
    with pytest.raises(AuditFailed, match=r"its content does not hash to its name\. Take an earlier one with --backup: 20240506T12"):
        read_backup(FolderVault(source))


def test_a_backup_that_was_broken_off_is_no_backup(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("transforms.lake.backup._write_manifest", killed)
    with pytest.raises(KeyboardInterrupt):
        back_up_at(lake, tmp_path / "backup")
    with pytest.raises(MissingData, match="holds no backup"):
        read_backup(FolderVault(tmp_path / "backup"))


def test_a_root_that_holds_anything_is_not_restored_over(lake: Lake, tmp_path: Path) -> None:
    back_up_at(lake, tmp_path / "backup")
    with pytest.raises(ConfigurationError, match="is not empty: a backup is restored into a root that does not exist yet"):
        restore(FolderVault(tmp_path / "backup"), read_backup(FolderVault(tmp_path / "backup")), lake.path())


def test_a_backup_inside_the_root_is_refused(lake: Lake) -> None:
    with pytest.raises(ConfigurationError, match="lie inside each other"):
        back_up_at(lake, lake.path("backup"))


def test_a_lake_that_lost_a_data_file_is_not_backed_up_as_if_it_were_whole(lake: Lake, tmp_path: Path) -> None:
    next(lake.path("lake", "gold/model_events").glob("*.parquet")).unlink()
    with pytest.raises(AuditFailed, match="of version 0 is gone: restore it from an earlier backup first"):
        back_up_at(lake, tmp_path / "backup")
