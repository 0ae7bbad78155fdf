"""The lake: versioned Delta tables under one root, a folder or an object-store URI.

The only importer of deltalake. Tables that are sliced are partitioned by region on disk and replaced block by block, so that doing a slice again
replaces exactly that slice. Predicates are built from `Region` and `Week` objects alone. Which tables exist and what they hold is in
`transforms.contracts`; what belongs into a slice is decided by the caller.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS, Contract, SchemaChange
from transforms.contracts.life_cycle import AUDIT_HEADS
from transforms.errors import AuditFailed, ConfigurationError, ContractViolation, MissingData
from transforms.lake.database import literal, open_database, own_database, read_from_store
from transforms.lake.evolution import additions, datafusion_columns, duckdb_columns, plain
from transforms.lake.hash_chain import Link, genesis, seal_name, seal_of_nothing, slice_seals
from transforms.lake.remote.opening import store_at, told
from transforms.redaction import blotted
from transforms.stores import LANDING, STATE

# Deltalake's default of 15 retries runs out when eight regions are replaced at once.
_COMMIT = CommitProperties(max_commit_retries=100)
_REPLACE_ATTEMPTS = 8
_APPEND_ATTEMPTS = 100
# The library removes nothing by itself: which past versions have to stay readable is known to `transforms.lake.maintenance` alone.
_KEPT = {"delta.logRetentionDuration": "interval 5200 weeks", "delta.deletedFileRetentionDuration": "interval 5200 weeks"}
STORAGE_FAILED = (OSError, DeltaError)
"""What reading and writing a table raise where a disk is full or a store fails, and no error of ours says more."""
_ABSENT = -1
_COMPARED_WEEKS, _COMPARED_ROWS = 26, 1_000_000
"""Weeks of a block, and rows, up to which a replacement is compared with what stands there: more of them are streamed, so that memory stays flat."""
_LAST_TIME = "shelfcast.last_time"
"""Name of a commit's latest time among its metadata."""
_asking = threading.RLock()
_STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Result of a write: rows now standing in the part that was replaced, and the table version that holds them."""

    table: str
    rows: int
    version: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What DuckDB reads of one state of a table: its files, and SQL of the contract's columns in them."""

    contract: Contract
    files: tuple[str, ...]
    columns: str

    def sql(self, region: str | None = None) -> str:
        """DuckDB SQL over the files, or over those of one region: it opens each of them, if only to learn its columns."""
        files = [name for name in self.files if region is None or not self.contract.sliced or f"/region={region}/" in name]
        if not files:
            empty = ", ".join(f'null::{column.duckdb} as "{column.name}"' for column in self.contract.columns)
            return f"select {empty} where false"
        names = ", ".join(map(literal, files))
        hive = ", hive_partitioning = true, hive_types = {'region': varchar}" if self.contract.sliced else ""
        # Files of before a column was added lack it.
        return f"select {self.columns} from read_parquet([{names}]{hive}, union_by_name = {str(len(files) > 1).lower()})"


@dataclass(frozen=True)
class Lake:
    """Read and replace the tables below `root`.

    Parameters
    ----------
    root
        A folder or a URI (`s3://bucket/prefix`).
    storage_options
        What the object store needs (endpoint, keys), as deltalake takes it, and under `STATE` the folder of this machine in which lies what
        cannot lie in a store; and under `LANDING` the root whose landing files are read where that is another one. Empty for most folders.
    pinned
        Versions at which tables are read instead of their present one; see `at` and `as_of`.
    """

    root: str
    storage_options: dict[str, str] = field(default_factory=dict, repr=False)
    pinned: Mapping[str, int] = field(default_factory=dict)

    def at(self, versions: Mapping[str, int]) -> "Lake":
        """The same lake, with these tables read at these versions. It cannot be written to there."""
        return replace(self, pinned=dict(versions))

    def as_of(self, moment: datetime, tables: Iterable[str] = CONTRACTS) -> "Lake":
        """The lake as it was known at a moment (transaction time): each table at its last commit up to then, empty if it came later."""
        return self.at({table: self._version_at(table, moment) for table in tables if replace(self, pinned={}).exists(table)})

    @property
    def is_local(self) -> bool:
        """True when the root is a folder of this machine."""
        return "://" not in self.root

    def path(self, *parts: str) -> Path:
        """A path on this machine: below the root where that is a folder, else in the working copy of what the store holds beside tables.

        What others wrote into a store, and what is written here, goes through `transforms.lake.remote.working_copy`.
        """
        if self.is_local:
            return Path(self.root).joinpath(*parts)
        if STATE not in self.storage_options:
            raise ConfigurationError(f"{self.root} is no folder, and none is named for what has to lie on this machine: set SHELFCAST_STATE.")
        return Path(self.storage_options[STATE]).joinpath(*parts)

    @property
    def landing(self) -> "Lake":
        """The lake whose landing files are read: this one, or another one that is never written to, as `borrows_landing` tells.

        Of one in a store the working copy lies below this lake's own folder of the machine.
        """
        if not self.borrows_landing:
            return self
        options = {name: value for name, value in self.storage_options.items() if name != LANDING}
        return Lake(self.storage_options[LANDING], {**options, STATE: str(self.path("borrowed"))})

    @property
    def borrows_landing(self) -> bool:
        """True where landing files are another lake's."""
        return LANDING in self.storage_options

    def address(self, *parts: str) -> str:
        """Where people find a part of the lake: a path where the root is a folder, else an address in the store."""
        return str(self.path(*parts)) if self.is_local else "/".join([self.root.rstrip("/"), *parts])

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let one thread of this process at a time ask an object store through deltalake, and tell what the store does not answer in a sentence.

        Some of its calls keep Python's lock while they wait for the store (1.6), and the writer of another thread needs that lock for its rows: both
        would wait for ever. Other processes are not held up.

        Raises
        ------
        ConfigurationError
            If the store does not answer, also when it is asked again.
        """
        if self.is_local:
            yield
            return
        with _asking:
            try:
                yield
            except (DeltaError, OSError) as error:
                if not _is_of_a_store(error):
                    raise
                raise _unanswered(self, error) from None

    @property
    def delta_options(self) -> dict[str, str] | None:
        """Options as deltalake takes them."""
        return {name: value for name, value in self.storage_options.items() if name not in {LANDING, STATE}} or None

    def uri(self, table: str) -> str:
        """Where `table` (`layer/table`) lies."""
        return f"{self.root.rstrip('/')}/lake/{table}"

    def exists(self, table: str) -> bool:
        """True when the table has been written at least once."""
        if self.pinned.get(table) == _ABSENT:
            return False
        with self.asking():
            return DeltaTable.is_deltatable(self.uri(table), storage_options=self.delta_options)

    def require(self, table: str) -> None:
        """Raise `MissingData` if the table does not exist yet."""
        self._open(table)

    def version(self, table: str) -> int | None:
        """Delta version of the table, None when there is none yet."""
        return self._open(table).version() if self.exists(table) else None

    def versions(self, tables: Iterable[str]) -> dict[str, int]:
        """Delta versions of the tables that exist."""
        return {table: version for table in tables if (version := self.version(table)) is not None}

    def files(self, table: str) -> list[str]:
        """Names of the data files of the table's present version, or of the one at which it is pinned.

        Raises
        ------
        MissingData
            If a file of a past version is gone: maintenance removes those of versions that nothing names.
        """
        return self._files(table, self._open(table))

    def _files(self, table: str, delta: DeltaTable) -> list[str]:
        names = [unquote(uri) for uri in delta.file_uris()]
        if table in self.pinned and (gone := self._gone(table, names)):
            raise MissingData(
                f"{table}: version {self.pinned[table]} cannot be read any more: {Path(gone).name} is gone. Versions that data or models name are "
                "kept for good, or for maintenance.keep_weeks where the project file says so, others for maintenance.keep_days. Choose a later "
                "time, or restore a backup."
            )
        return names

    def data_files(self, table: str) -> pa.Table:
        """The data files of the table's present version as its log tells of them: bytes, rows, partition, bounds of columns. None is opened."""
        delta = self._open(table)
        with self.asking():
            return pa.table(delta.get_add_actions(flatten=True))

    def _gone(self, table: str, names: Sequence[str]) -> str:
        """The first of these data files of a table that is not there; empty where all are."""
        if self.is_local:
            return next((name for name in names if not Path(name).is_file()), "")
        with told(self.root):
            there = {self.address(one.key) for page in store_at(self.root, self.storage_options).pages(f"lake/{table}") for one in page}
        return next((name for name in names if name not in there), "")

    def history(self, table: str, limit: int | None = 20) -> list[dict[str, Any]]:
        """The latest commits of the table, newest first; all of them with None."""
        delta = self._open(table)
        with self.asking():
            return list(delta.history(limit))

    def stored_columns(self, table: str) -> dict[str, str]:
        """Columns of the table as they are stored, with their Delta types; none before it exists."""
        return _stored(self._open(table)) if self.exists(table) else {}

    def read(self, table: str, where: str = "true", columns: str = "*", version: int | None = None) -> pa.Table:
        """Read rows as Arrow; raise `MissingData` if the table does not exist yet.

        `where` and `columns` are SQL over the table's columns, made from validated keys and literals of our own.
        """
        return self.query(f"select {columns} from t where {where}", version=version, t=table)

    def read_or_empty(self, table: str, where: str = "true") -> pa.Table:
        """Read rows as Arrow; none, with the contract's schema, when the table does not exist yet."""
        return self.read(table, where=where) if self.exists(table) else CONTRACTS[table].schema.empty_table()

    def query(self, sql: str, version: int | None = None, **tables: str) -> pa.Table:
        """Run SQL (DataFusion's dialect) over tables given as `alias="layer/table"`."""
        builder = QueryBuilder()
        evolved = []
        for alias, table in tables.items():
            delta = self._open(table, version)
            change = _change(CONTRACTS[table], delta)
            if not change.added and all(column.default is None for column in CONTRACTS[table].columns):
                builder = builder.register(alias, delta)
                continue
            builder = builder.register(f"{alias}_stored", delta)
            evolved.append(f"{alias} as (select {datafusion_columns(CONTRACTS[table], change)} from {alias}_stored)")
        if evolved:
            sql = f"with {', '.join(evolved)} {sql}"
        # A query that cannot be planned is a defect of ours.
        with self.asking():
            planned = builder.execute(sql)
        try:
            with self.asking():
                return plain(pa.table(planned.read_all()))
        except Exception as error:
            # DataFusion's errors have no type of their own.
            if not self.is_local and _is_of_a_store(error):
                raise _unanswered(self, error) from None
            if not isinstance(error, DeltaError) and "Parquet error" not in str(error):
                raise
            raise unreadable(self, ", ".join(tables.values()), error) from error

    def connect(self, *tables: str) -> duckdb.DuckDBPyConnection:
        """Return an in-memory DuckDB in which each table is a view named `layer_table`, an empty one where it does not exist yet."""
        connection = open_database() if self.is_local else own_database()
        self.reach(connection)
        for table in tables:
            connection.execute(f"create temp view {table.replace('/', '_')} as {self.select(table)}")
        return connection

    def reach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a DuckDB read the files of this lake's tables; for a folder there is nothing to do."""
        if not self.is_local:
            read_from_store(connection, self.root, self.storage_options)

    def select(self, table: str, beside: "Lake | None" = None) -> str:
        """DuckDB SQL over the Parquet files of the table's present version, with the contract's columns and types; no rows before it exists.

        Reading the files is faster than `delta_scan`; tables written here have no deletion vectors. A connection that did not come from
        `connect` needs `reach` before.

        Parameters
        ----------
        beside
            Another state of this lake: files that both states have are left out, so that two states are compared without what they share.
        """
        return self.selection(table, beside).sql()

    def selection(self, table: str, beside: "Lake | None" = None) -> "Selection":
        """The same, of which the part of a region can be told without opening the table again."""
        contract = CONTRACTS[table]
        delta = self._open(table) if self.exists(table) else None
        files = self._files(table, delta) if delta else []
        if beside is not None and beside.exists(table):
            shared = set(beside.files(table))
            files = [name for name in files if name not in shared]
        return Selection(contract, tuple(files), duckdb_columns(contract, _change(contract, delta)) if delta else "")

    def replace(self, table: str, block: SliceBlock, rows: pa.Table | Callable[[], pa.RecordBatchReader], note: str = "") -> Receipt:
        """Replace exactly the slices of `block` by `rows`, which may be empty; slices that hold just these rows stay as they are, without a commit.

        Parameters
        ----------
        rows
            A table, or a function that opens a stream of record batches: memory then stays flat, and a commit that lost a race is done again
            from a fresh stream.

        Raises
        ------
        ContractViolation
            If a row lies outside the block or does not fit the contract: nothing is written.
        """
        contract = CONTRACTS[table]
        source = rows if callable(rows) else rows.to_reader
        counter = _Counter()

        def checked() -> pa.RecordBatchReader:
            counter.rows = 0
            return pa.RecordBatchReader.from_batches(contract.schema, _checked(contract, block, source(), counter))

        try:
            before = self.version(table) if block.last - block.first < _COMPARED_WEEKS else None
            data = None if before is None else _all_of(checked())
            changed = block if data is None else self._changed(contract, block, data)
            if changed is None:
                return Receipt(table, counter.rows, before or 0)
            if contract.sealed and not callable(rows):
                self._seal(contract, block, self.conform(contract, rows))
            if data is not None and before is not None and changed != block:
                self._put(contract, changed, data.filter(_inside(contract, changed)), note)
                if self._open(table).version() == before + 1:
                    return Receipt(table, counter.rows, before + 1)
                # Another writer came in between: what was found unchanged may not be so any more.
            self._put(contract, block, checked if data is None else data, note)
        except DeltaError as error:
            # The writer wraps what the stream raised: the reader of the message wants the violation itself.
            raise (counter.violation or error) from None
        return Receipt(table, counter.rows, self._open(table).version())

    def _put(self, contract: Contract, block: SliceBlock, data: pa.Table | Callable[[], pa.RecordBatchReader], note: str) -> None:
        if self.exists(contract.name):
            self._commit(contract.name, data, note, mode="overwrite", predicate=block_predicate(contract.week_column, block))
        else:
            self._commit(contract.name, data, note, mode="append", partition_by=["region"])

    def _changed(self, contract: Contract, block: SliceBlock, data: pa.Table) -> SliceBlock | None:
        """The smallest block around the slices in which the table holds other rows than `data`; None where there is none."""
        there = self.conform(contract, self.read(contract.name, where=block_predicate(contract.week_column, block)))
        week, names = contract.week_column, ", ".join(f'"{name}"' for name in contract.names)
        with open_database() as connection:
            connection.register("before", there)
            connection.register("after", data)
            differing = connection.execute(
                f"select distinct region, {week} from (select {names}, 1 as side from after union all select {names}, -1 from before) "
                f"group by {names} having sum(side) <> 0"
            ).fetchall()
        if not differing:
            return None
        found = {region for region, _ in differing}
        weeks = [Week(week) for _, week in differing]
        return SliceBlock(tuple(region for region in block.regions if str(region) in found), min(weeks), max(weeks))

    def overwrite(self, table: str, rows: pa.Table, note: str = "") -> Receipt:
        """Replace a whole unsliced table."""
        contract = CONTRACTS[table]
        if contract.sliced or contract.append_only:
            raise ContractViolation(f"{table} is {'append-only' if contract.append_only else 'replaced by slices'}: it cannot be overwritten.")
        data = self.conform(contract, rows)
        self._commit(table, data, note, mode="overwrite")
        return Receipt(table, data.num_rows, self._open(table).version())

    def append(self, table: str, rows: pa.Table, note: str = "") -> Receipt:
        """Add rows to an append-only table; the commit is linked to every one before it, so that none can be changed unnoticed."""
        contract = CONTRACTS[table]
        if not contract.append_only:
            raise ContractViolation(f"{table} is not append-only: replace its slices instead.")
        data = self.conform(contract, rows)
        for attempt in range(_APPEND_ATTEMPTS):
            delta = self._open(table) if self.exists(table) else None
            ordered, last = self._after_last(contract, data, delta)
            link = Link.after(self._last_link(table, delta), ordered)
            metadata = {**({"shelfcast": note} if note else {}), **last, **link.metadata}
            try:
                # A link holds behind one commit alone: another writer's commit in between makes this one fail, and it is linked anew.
                # The same holds for a table that another writer made meanwhile: the first commit may only be made where there is none.
                how = {"mode": "error" if delta is None else "append"}
                self._write(table, ordered, CommitProperties(max_commit_retries=0, custom_metadata=metadata), delta, **how)
            except DeltaError as error:
                lost = isinstance(error, CommitFailedError) or (delta is None and self.exists(table))
                if not lost or attempt == _APPEND_ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0.01, 0.1))  # noqa: S311
            else:
                break
        version = 0 if delta is None else delta.version()
        head = [{"table_name": table, "delta_version": version, "chain": link.value}]
        self._commit(AUDIT_HEADS.name, pa.Table.from_pylist(head, schema=AUDIT_HEADS.schema), note, mode="append")
        return Receipt(table, data.num_rows, version)

    @staticmethod
    def conform(contract: Contract, rows: pa.Table) -> pa.Table:
        """Bring `rows` to the contract's columns, order and types; refuse missing columns and values that do not fit a type."""
        if missing := [name for name in contract.names if name not in rows.column_names]:
            raise ContractViolation(f"{contract.name}: columns {missing} are missing; came with {rows.column_names}.")
        try:
            return rows.select(contract.names).cast(contract.schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ContractViolation(f"{contract.name}: a value does not fit its column's type: {error}") from error

    def _open(self, table: str, version: int | None = None) -> DeltaTable:
        wanted = self.pinned.get(table) if version is None else version
        missing = f"Table {table} does not exist in {self.root} {{}}: run the step that writes it first (shelfcast status)."
        if wanted == _ABSENT:
            raise MissingData(missing.format("as of that time"))
        try:
            with self.asking():
                return DeltaTable(self.uri(table), version=wanted, storage_options=self.delta_options)
        except TableNotFoundError as error:
            raise MissingData(missing.format("yet")) from error
        except DeltaError as error:
            raise unreadable(self, table, error) from error

    def _version_at(self, table: str, moment: datetime) -> int:
        limit = moment.timestamp() * 1000
        known = [commit["version"] for commit in replace(self, pinned={}).history(table, None) if commit["timestamp"] <= limit]
        return max(known, default=_ABSENT)

    def _last_link(self, table: str, delta: DeltaTable | None) -> str:
        """The link that a new commit follows; a table of before there were links is sealed as it stands."""
        if delta is None:
            return genesis(table)
        last = Link.recorded(self._last_commit(delta))
        # Without the contract's defaults: what a row is hashed as may not change with the contract.
        return (
            last.value
            if last
            else Link.after(genesis(table), plain(pa.table(QueryBuilder().register("t", delta).execute("select * from t").read_all()))).value
        )

    def _last_commit(self, delta: DeltaTable) -> dict[str, Any]:
        with self.asking():
            return dict(delta.history(1)[0])

    def _after_last(self, contract: Contract, data: pa.Table, delta: DeltaTable | None) -> tuple[pa.Table, dict[str, str]]:
        """Rows with times after all that the table holds, and the last of them for the commit's metadata.

        A clock that was set back would otherwise make what is decided now older than what was decided before.
        """
        name = contract.ordered_by
        if name is None or not data.num_rows:
            return data, {}
        if delta is not None:
            recorded = self._last_commit(delta).get(_LAST_TIME)
            last = datetime.fromisoformat(recorded) if recorded else self.read(contract.name, columns=f"max({name}) as last")["last"][0].as_py()
            first = pc.min(data[name]).as_py()
            if last is not None and first <= last:
                later = pc.add(data[name], pa.scalar(last - first + _STEP, pa.duration("us")))
                data = data.set_column(data.schema.get_field_index(name), data.schema.field(name), later)
        return data, {_LAST_TIME: pc.max(data[name]).as_py().isoformat()}

    def _seal(self, contract: Contract, block: SliceBlock, rows: pa.Table) -> None:
        """Put on record what slices are about to hold; see `transforms.records.audit`. Before they are written: without a seal they look forged."""
        seals = slice_seals(contract, rows)
        heads = [
            {
                "table_name": seal_name(contract, str(item.region), item.week.monday),
                "delta_version": 0,
                "chain": seals.get((str(item.region), item.week.monday), seal_of_nothing(contract)),
            }
            for item in block.slices()
        ]
        self._commit(AUDIT_HEADS.name, pa.Table.from_pylist(heads, schema=AUDIT_HEADS.schema), "", mode="append")

    def _commit(self, table: str, data: pa.Table | Callable[[], pa.RecordBatchReader], note: str, **how: Any) -> None:
        properties = CommitProperties(max_commit_retries=100, custom_metadata={"shelfcast": note}) if note else _COMMIT
        for attempt in range(_REPLACE_ATTEMPTS):
            try:
                self._write(table, data() if callable(data) else data, properties, self._open(table) if self.exists(table) else None, **how)
            except CommitFailedError:
                if attempt == _REPLACE_ATTEMPTS - 1:
                    raise
                # Two writers of one region conflict for good: the loser has to do its replacement again on the new version.
                time.sleep(random.uniform(0.05, 0.5) * (attempt + 1))  # noqa: S311
            else:
                return

    def _write(self, table: str, data: pa.Table | pa.RecordBatchReader, properties: CommitProperties, delta: DeltaTable | None, **how: Any) -> None:
        """Write once, on top of the table as `delta` has it; None makes the table."""
        if table in self.pinned:
            raise ContractViolation(f"{table} is read at version {self.pinned[table]} here: the past cannot be written to.")
        if delta is None:
            how |= {"configuration": _KEPT}
        elif _change(CONTRACTS[table], delta).added:
            how |= {"schema_mode": "merge"}
        target = self.uri(table) if delta is None else delta
        with self.asking():
            write_deltalake(target, data, commit_properties=properties, storage_options=self.delta_options, **how)


def region_list(regions: Iterable[Region]) -> str:
    """SQL list of region keys."""
    return ", ".join(f"'{region}'" for region in regions)


def day(value: Week | datetime) -> str:
    """SQL literal of a week's Monday or of an instant (UTC)."""
    return f"date '{value}'" if isinstance(value, Week) else f"timestamp '{value:%Y-%m-%d %H:%M:%S.%f}'"


def block_predicate(week_column: str, block: SliceBlock) -> str:
    """SQL predicate for exactly the slices of `block`."""
    weeks = f"{week_column} >= {day(block.first)} and {week_column} <= {day(block.last)}"
    return f"region in ({region_list(block.regions)}) and {weeks}"


@dataclass
class _Counter:
    rows: int = 0
    violation: ContractViolation | None = None


def _checked(contract: Contract, block: SliceBlock, reader: pa.RecordBatchReader, counter: _Counter) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        try:
            table = Lake.conform(contract, pa.Table.from_batches([batch]))
            _refuse_outsiders(contract, block, table)
        except ContractViolation as error:
            counter.violation = error
            raise
        counter.rows += table.num_rows
        yield from table.to_batches()


def _all_of(reader: pa.RecordBatchReader) -> pa.Table | None:
    """The rows of a stream; None where they are too many to be held."""
    batches, rows = list[pa.RecordBatch](), 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        if rows > _COMPARED_ROWS:
            return None
    return pa.Table.from_batches(batches, reader.schema)


def _inside(contract: Contract, block: SliceBlock) -> pc.Expression:
    """Whether a row lies in a block."""
    week = pc.field(contract.week_column)
    regions = pc.field("region").isin([str(region) for region in block.regions])
    return regions & (week >= pa.scalar(block.first.monday)) & (week <= pa.scalar(block.last.monday))


def _refuse_outsiders(contract: Contract, block: SliceBlock, data: pa.Table) -> None:
    weeks = data[contract.week_column]
    inside = pc.fill_null(
        pc.and_(
            pc.is_in(data["region"], value_set=pa.array([str(region) for region in block.regions])),
            pc.and_(pc.greater_equal(weeks, block.first.monday), pc.less_equal(weeks, block.last.monday)),
        ),
        False,
    )
    outside = data.filter(pc.invert(inside))
    if outside.num_rows:
        first = outside.slice(0, 1).to_pylist()[0]
        raise ContractViolation(
            f"{contract.name}: {outside.num_rows} rows lie outside the slices that are replaced ({block}); first: region {first['region']}, "
            f"{contract.week_column} {first[contract.week_column]}. Nothing was written."
        )


_OF_A_STORE = re.compile(r"Generic S3 error|error sending request|status code: (4(?!04)|5)|Connection|timed out", re.IGNORECASE)
"""In what deltalake says where the store, and not what it holds, is the cause."""
_DRAWN = re.compile(r"\x1b\[[\d;]*m|↳")
"""Colours and arrows in what it says."""


def _is_of_a_store(error: Exception) -> bool:
    return _OF_A_STORE.search(str(error)) is not None


def _unanswered(lake: Lake, error: Exception) -> ConfigurationError:
    secrets = [lake.storage_options.get(name, "") for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]
    text = blotted(" ".join(_DRAWN.sub("", str(error)).split()), secrets)
    return ConfigurationError(
        f"The object store of {lake.root} does not do what it is asked for: {text[:300]}. Run the command again once it does: what was finished "
        "stays."
    )


def unreadable(lake: Lake, table: str, error: Exception) -> AuditFailed:
    """What to raise where a table's files are gone or damaged."""
    # What follows the first line are the library's own frames.
    return AuditFailed(
        f"Table {table} in {lake.root} cannot be read: {str(error).splitlines()[0]}. Its files are not as they were written: "
        "'shelfcast audit verify' names what else is damaged, 'shelfcast restore' brings back a backup."
    )


def _stored(delta: DeltaTable) -> dict[str, str]:
    return {column.name: str(getattr(column.type, "type", column.type)) for column in delta.schema().fields}


def _change(contract: Contract, delta: DeltaTable) -> SchemaChange:
    return additions(contract, _stored(delta), delta.version())
