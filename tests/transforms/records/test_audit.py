"""The record cannot be changed unnoticed: rows, commits and whole histories are tampered with past Shelfcast, and the check names the place."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.gold import FORECASTS
from transforms.contracts.life_cycle import DATASET_EVENTS, MODEL_EVENTS
from transforms.lake.tables import Lake
from transforms.records.audit import heads_of, verify_artifacts, verify_seals, verify_tables
from transforms.records.model_registry import DeltaRegistry, ModelEvent, ModelVersion, decide, events_of

TABLE = MODEL_EVENTS.name


def event(number: int, decision: str = "champion", minute: int = 0) -> ModelEvent:
    when = datetime(2024, 5, 6, 12, minute, number % 60, 250_000, UTC)
    return ModelEvent(f"ohio-large-fast-{number}", "ohio", "large", "fast", when, date(2024, 5, 6), decision, "gate, run 1", "MAPE 0.300")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with four commits of two decisions each."""
    lake = Lake(str(tmp_path / "root"))
    for commit in range(4):
        decide(lake, [event(2 * commit, minute=commit), event(2 * commit + 1, minute=commit)])
    return lake


def findings(lake: Lake) -> list[str]:
    return [finding for audit in verify_tables(lake) for finding in audit.findings]


def folder(lake: Lake, table: str = TABLE) -> Path:
    return lake.path("lake", table)


def log_entry(lake: Lake, version: int, table: str = TABLE) -> Path:
    return folder(lake, table) / "_delta_log" / f"{version:020}.json"


def data_file(lake: Lake, version: int) -> Path:
    actions = [json.loads(line) for line in log_entry(lake, version).read_text().splitlines()]
    return folder(lake) / next(action["add"]["path"] for action in actions if "add" in action)


def rewrite(path: Path, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> None:
    rows = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(change(rows.to_pylist()), schema=rows.schema), path)


def edit_a_reason(lake: Lake) -> None:
    rewrite(data_file(lake, 1), lambda rows: [rows[0], {**rows[1], "reason": "MAPE 0.100"}])


def drop_a_row(lake: Lake) -> None:
    rewrite(data_file(lake, 2), lambda rows: rows[:1])


def slip_a_row_in(lake: Lake) -> None:
    rewrite(data_file(lake, 2), lambda rows: [*rows, {**rows[0], "model_version": "ohio-large-fast-99"}])


def delete_the_last_commit(lake: Lake) -> None:
    data_file(lake, 3).unlink()
    log_entry(lake, 3).unlink()


def delete_a_commit_between(lake: Lake) -> None:
    log_entry(lake, 1).unlink()


def close_the_gap_of_a_deleted_commit(lake: Lake) -> None:
    for version in (1, 2):
        log_entry(lake, version + 1).replace(log_entry(lake, version))


def delete_a_data_file(lake: Lake) -> None:
    data_file(lake, 2).unlink()


def delete_rows_through_delta(lake: Lake) -> None:
    DeltaTable(folder(lake)).delete("model_version = 'ohio-large-fast-0'")


def append_past_shelfcast(lake: Lake) -> None:
    write_deltalake(folder(lake), pa.Table.from_pylist([vars_of(event(50))], schema=MODEL_EVENTS.schema), mode="append")


def rewrite_the_table_through_shelfcast(lake: Lake) -> None:
    """Everything is linked again, as if it had always been so."""
    shutil.rmtree(folder(lake))
    for commit in range(5):
        one = Lake(lake.root).conform(MODEL_EVENTS, pa.Table.from_pylist([vars_of(event(commit, "rejected"))], schema=MODEL_EVENTS.schema))
        Lake(lake.root).append(TABLE, one)


def delete_the_table(lake: Lake) -> None:
    shutil.rmtree(folder(lake))


def edit_the_recorded_link(lake: Lake) -> None:
    entry = log_entry(lake, 2)
    entry.write_text(entry.read_text().replace('"shelfcast.chain":"', '"shelfcast.chain":"0'))


def vars_of(one: ModelEvent) -> dict[str, object]:
    return {name: getattr(one, name) for name in MODEL_EVENTS.names}


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (edit_a_reason, "version 1 of .*: the row with model_version ohio-large-fast-3, .* is not as it was written."),
        (drop_a_row, "version 2 of .*: 1 of its rows are gone."),
        (slip_a_row_in, "version 2 of .*: the row with model_version ohio-large-fast-99, .* is not as it was written."),
        (delete_the_last_commit, r"cut short: version 3 had been written \(head .*\), and the log ends at version 2."),
        (delete_a_commit_between, "version 1 is missing from the log."),
        (close_the_gap_of_a_deleted_commit, "version 1 of .*: its rows are as written, and what it follows is not"),
        (delete_a_data_file, "version 2: data file .* is gone."),
        (delete_rows_through_delta, r"version 4 \(DELETE, .*\) took rows out of an append-only table."),
        (append_past_shelfcast, r"version 4 \(WRITE\) was written past Shelfcast: the row with model_version ohio-large-fast-50"),
        (rewrite_the_table_through_shelfcast, "history was rewritten: version 0 had head"),
        (delete_the_table, r"cut short: version 0 had been written \(head .*\), and the log ends at version -1."),
        (edit_the_recorded_link, "version 2 of .*: its rows are as written, and what it follows is not"),
    ],
)
def test_a_change_past_shelfcast_is_noticed_and_placed(lake: Lake, tamper: Callable[[Lake], None], said: str) -> None:
    assert findings(lake) == []
    tamper(lake)
    assert findings(lake) != []
    assert any(re.search(said, finding) for finding in findings(lake)), findings(lake)


def test_a_head_kept_elsewhere_uncovers_a_history_that_was_rewritten_as_a_whole(lake: Lake) -> None:
    kept = heads_of(lake)
    shutil.rmtree(lake.path("lake"))
    for commit in range(4):
        decide(lake, [event(2 * commit, "rejected", minute=commit), event(2 * commit + 1, minute=commit)])
    assert findings(lake) == []
    assert any("history was rewritten: version 3" in finding for audit in verify_tables(lake, kept) for finding in audit.findings)


def test_a_head_of_the_past_stays_on_the_chain_when_more_is_appended(lake: Lake) -> None:
    kept = heads_of(lake)
    decide(lake, [event(70)])
    assert [finding for audit in verify_tables(lake, kept) for finding in audit.findings] == []


def test_rows_of_before_there_were_links_are_sealed_by_the_first_link(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "old"))
    without_reason = pa.Table.from_pylist([vars_of(event(1))], schema=MODEL_EVENTS.schema).drop_columns(["replaces"])
    for _ in range(2):
        write_deltalake(folder(lake), without_reason, mode="append")
    decide(lake, [event(2)])
    audit = next(audit for audit in verify_tables(lake) if audit.table == TABLE)
    assert (audit.unlinked, audit.findings) == (2, [])
    rewrite(data_file(lake, 0), lambda rows: [{**rows[0], "reason": "MAPE 0.100"}])
    assert any("what it follows is not" in finding for finding in findings(lake))


def test_a_table_that_another_writer_made_meanwhile_is_linked_onto(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    there, answers = Lake.exists, [False]
    monkeypatch.setattr(Lake, "exists", lambda self, table: answers.pop() if table == TABLE and answers else there(self, table))
    decide(lake, [event(60)])
    assert answers == []
    assert findings(lake) == []
    assert heads_of(lake)[TABLE][0] == 4


def _append(root: str, writer: int) -> None:
    for number in range(5):
        decide(Lake(root), [event(100 * writer + number)])


def test_writers_side_by_side_leave_one_chain(tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_append, root, writer) for writer in range(3)]:
            done.result()
    lake = Lake(root)
    assert lake.read(TABLE).num_rows == 15
    assert findings(lake) == []
    assert heads_of(lake)[TABLE][0] == 14
    assert not lake.exists(DATASET_EVENTS.name)


WEEK = Week.parse("2024-05-06")
OHIO = SliceBlock((Region("ohio"),), WEEK, WEEK)


def forecast(lake: Lake, expected: float, block: SliceBlock = OHIO) -> None:
    """Write one forecast into each slice of a block."""
    kinds = {"text": "x", "integer": 1, "flag": True, "number": expected, "date": WEEK.monday, "timestamp": datetime(2024, 5, 6, tzinfo=UTC)}
    rows = [
        {**{column.name: kinds.get(column.kind) for column in FORECASTS.columns}, "region": str(item.region), "origin_week": item.week.monday}
        for item in block.slices()
    ]
    lake.replace(FORECASTS.name, block, pa.Table.from_pylist(rows, schema=FORECASTS.schema))


def test_a_forecast_that_was_edited_is_found(lake: Lake) -> None:
    forecast(lake, 5.0, SliceBlock((Region("ohio"), Region("texas")), WEEK, WEEK + 1))
    forecast(lake, 6.0)
    assert verify_seals(lake) == (4, [])
    present = {name: pq.ParquetFile(name).read() for name in lake.files(FORECASTS.name)}
    [(path, rows)] = [(name, rows) for name, rows in present.items() if 6.0 in rows["expected"].to_pylist()]
    forged = pa.array([60.0 if value == 6.0 else value for value in rows["expected"].to_pylist()])
    pq.write_table(rows.set_column(rows.schema.get_field_index("expected"), "expected", forged), path)
    assert verify_seals(lake) == (4, [f"gold/forecasts/ohio/{WEEK}: its rows are not those that were written, or some of them are gone."])


def test_forecasts_that_were_deleted_are_found(lake: Lake) -> None:
    forecast(lake, 5.0)
    lake.replace(FORECASTS.name, OHIO, FORECASTS.schema.empty_table())
    assert verify_seals(lake) == (1, []), "written by a step"
    forecast(lake, 5.0, SliceBlock((Region("texas"),), WEEK, WEEK))
    DeltaTable(folder(lake, FORECASTS.name)).delete("region = 'texas'")
    assert [finding.split(":")[0] for finding in verify_seals(lake)[1]] == [f"gold/forecasts/texas/{WEEK}"]
    shutil.rmtree(folder(lake, FORECASTS.name))
    assert verify_seals(lake)[1] == ["gold/forecasts is gone: 2 of its slices are on record. Restore it from a backup."]


def test_a_step_that_was_killed_between_seal_and_forecasts_raises_no_alarm(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    forecast(lake, 5.0)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    commit = Lake._commit
    with monkeypatch.context() as patched:
        patched.setattr(Lake, "_commit", lambda self, table, *rest, **how: (killed if table == FORECASTS.name else commit)(self, table, *rest, **how))
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                forecast(lake, 7.0)
    assert verify_seals(lake) == (1, [])


def test_an_artifact_of_the_held_back_weeks_that_was_changed_or_removed_is_found(lake: Lake) -> None:
    names = {"models/m.safetensors": b"weights", "models/m.held_back.safetensors": b"weights before the refit"}
    for name, content in names.items():
        lake.path(name).parent.mkdir(exist_ok=True)
        lake.path(name).write_bytes(content)
    hashes = [hashlib.sha256(content).hexdigest() for content in names.values()]
    uri, held_back = names
    values = {"model_version": "m", "region": "ohio", "format": "large", "mover": "fast", "kind": "ensemble", "trained_week": WEEK.monday}
    values |= {"trained_at": datetime.now(UTC), "run_id": "r", "code_version": "c", "dataset_version": "d", "data_versions": "{}", "metrics": "{}"}
    one = ModelVersion(**values, artifact_uri=uri, sha256=hashes[0], held_back_uri=held_back, held_back_sha256=hashes[1])
    DeltaRegistry(lake).record([one], [])
    assert verify_artifacts(lake) == (2, [])
    lake.path(held_back).write_bytes(b"others")
    assert [finding.split(":")[0] for finding in verify_artifacts(lake)[1]] == [f"artifact {held_back} of m"]
    lake.path(held_back).unlink()
    assert verify_artifacts(lake)[1] == [f"artifact {held_back} of m is gone: restore it from a backup."]


def test_a_lake_folder_that_was_removed_is_no_intact_record(lake: Lake) -> None:
    lake.path("models").mkdir()
    lake.path("models", "m.safetensors").write_text("weights")
    shutil.rmtree(lake.path("lake"))
    assert findings(lake) == [
        "the record is gone: models/m.safetensors is there, and no table in the lake tells of it. Restore the lake from a backup."
    ]


def test_a_root_in_which_nothing_was_done_yet_has_no_findings(tmp_path: Path) -> None:
    assert findings(Lake(str(tmp_path))) == []


def test_what_is_decided_after_the_clock_was_set_back_counts_as_later(tmp_path: Path) -> None:
    """Ten days back: new versions were older than what was on record, and stayed undecided."""
    lake, now = Lake(str(tmp_path / "root")), datetime(2024, 5, 16, 12, tzinfo=UTC)
    for number, days in enumerate((0, -10, -9, 3)):
        one = ModelEvent("m", "ohio", "large", "fast", now + timedelta(days=days), WEEK.monday, f"event {number}", "gate", "because")
        decide(lake, [one, replace(one, event=f"then {number}", event_time=one.event_time + timedelta(seconds=1))])
    told = events_of(lake, "m")
    assert [row["event"] for row in told] == [f"{kind} {number}" for number in range(4) for kind in ("event", "then")]
    assert told[-2]["event_time"] == now + timedelta(days=3), "a clock that is right is believed"
    assert len({row["event_time"] for row in told}) == 8
    assert findings(lake) == []


def test_rows_of_before_commits_told_their_last_time_are_reckoned_with(tmp_path: Path) -> None:
    lake, now = Lake(str(tmp_path / "root")), datetime(2024, 5, 16, 12, tzinfo=UTC)
    old = vars_of(ModelEvent("m", "ohio", "large", "fast", now, WEEK.monday, "before", "gate", "because"))
    write_deltalake(folder(lake), pa.Table.from_pylist([old], schema=MODEL_EVENTS.schema), mode="append")
    decide(lake, [ModelEvent("m", "ohio", "large", "fast", now - timedelta(days=10), WEEK.monday, "after", "gate", "because")])
    assert [row["event"] for row in events_of(lake, "m")] == ["before", "after"]
