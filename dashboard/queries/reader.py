"""How pages read a lake: SQL over tables at their present versions, answered once for each state of the tables it names.

Nothing is loaded whole: DuckDB reads the files of the tables, and what it answers is kept in memory as long as it is asked for.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa

from transforms.errors import AuditFailed, MissingData
from transforms.lake.database import own_database, session_of
from transforms.lake.delta_log import last_version
from transforms.lake.tables import Lake, Selection, unreadable
from transforms.rows import Row

_VERSIONS_SECONDS = 1.0
"""So long a version that was looked up holds: a page asks for a table many times while it is drawn."""
_ANSWERS, _ANSWER_BYTES = 2_000, 256 << 20
_SETTLED, _MOMENTS = timedelta(minutes=1), 10_000
"""Age from which no commit of a moment can still come, so that what stood then is known for good, and of how many moments that is remembered."""
_TURNS = 64
_NOW: Mapping[str, int] = MappingProxyType({})
_Key = tuple[Hashable, ...]
_Commit = tuple[int, int, int]
"""Version, and time (ns) and number of its file; zeros where the log holds it no longer."""


@dataclass
class _Kept:
    """Answers of a process, the latest ones; all pages and persons share them, since all may read the same."""

    answers: "OrderedDict[_Key, pa.Table]" = field(default_factory=OrderedDict)
    size: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: _Key) -> pa.Table | None:
        with self.lock:
            if key in self.answers:
                self.answers.move_to_end(key)
            return self.answers.get(key)

    def keep(self, key: _Key, answer: pa.Table) -> None:
        with self.lock:
            if key in self.answers:
                return
            self.answers[key] = answer
            self.size += answer.nbytes
            while self.answers and (self.size > _ANSWER_BYTES or len(self.answers) > _ANSWERS):
                self.size -= self.answers.popitem(last=False)[1].nbytes


class Reader:
    """Answers SQL over the tables of a lake. One for all threads of a process.

    Parameters
    ----------
    lake
        The lake, as it is now.
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._kept, self._looked_up, self._selections = _Kept(), dict[str, tuple[float, int | None]](), dict[str, tuple[int | None, Selection]]()
        self._turns, self._selecting = [threading.Lock() for _ in range(_TURNS)], threading.Lock()
        self._stood = dict[tuple[str, datetime], Mapping[str, int]]()
        self._commits = dict[str, _Commit]()
        self._database = own_database()
        self._database.execute("set parquet_metadata_cache = true")
        lake.reach(self._database)

    def table(self, sql: str, *tables: str, at: Mapping[str, int] = _NOW, within: str | None = None, **parameters: Any) -> pa.Table:
        """The rows of a query (DuckDB's SQL) in which each table is named `layer_table`; no rows in one that does not exist yet.

        `sql` is made from constants and validated keys, all else comes as `$parameters`.

        Parameters
        ----------
        at
            Versions at which tables are read, as the record or `as_of` names them; their present ones where they are not among these.
        within
            A region to whose rows `sql` keeps in every table that has regions: files of others are not opened.
        """
        versions = tuple((table, at[table] if table in at else self.version(table)) for table in tables)
        key: _Key = (sql, versions, within, tuple(sorted(parameters.items())))
        if (answer := self._kept.find(key)) is None:
            # Who asks the same at the same moment waits for one answer.
            with self._turns[hash(key) % _TURNS]:
                if (answer := self._kept.find(key)) is None:
                    answer = self._answer(sql, versions, at, within, parameters)
                    self._kept.keep(key, answer)
        return answer

    def rows(self, sql: str, *tables: str, **parameters: Any) -> list[Row]:
        """The same as dictionaries."""
        found: list[Row] = self.table(sql, *tables, **parameters).to_pylist()
        return found

    def row(self, sql: str, *tables: str, **parameters: Any) -> Row:
        """The first row; empty where there is none."""
        return next(iter(self.rows(sql, *tables, **parameters)), {})

    def version(self, table: str) -> int | None:
        """The table's version, None where there is none yet."""
        at, version = self._looked_up.get(table, (-_VERSIONS_SECONDS, None))
        if time.monotonic() - at >= _VERSIONS_SECONDS:
            version = last_version(Path(self.lake.uri(table))) if self.lake.is_local else self.lake.version(table)
            if self.lake.is_local:
                self._forget_if_replaced(table, version)
            self._looked_up[table] = time.monotonic(), version
        return version

    def _forget_if_replaced(self, table: str, version: int | None) -> None:
        """Forget all answers where a table's last known commit is another file now: a backup was restored, whose versions have the same numbers."""
        log = Path(self.lake.uri(table), "_delta_log")
        known = self._commits.get(table)
        if known is not None and _commit(log, known[0]) != known:
            self._kept, self._selections, self._stood = _Kept(), {}, {}
        if version is not None:
            self._commits[table] = _commit(log, version)

    def as_of(self, moment: datetime, *tables: str) -> Mapping[str, int]:
        """The versions at which tables stood at a moment, for `at`."""
        found: dict[str, int] = {}
        for table in tables:
            stood = self._stood.get((table, moment))
            if stood is None:
                stood = self.lake.as_of(moment, [table]).pinned
                if datetime.now(UTC) - moment > _SETTLED and len(self._stood) < _MOMENTS:
                    self._stood[table, moment] = stood
            found |= stood
        return found

    def forget_versions(self) -> None:
        """Look versions up again: something was written just now."""
        self._looked_up.clear()

    def _answer(
        self, sql: str, versions: tuple[tuple[str, int | None], ...], at: Mapping[str, int], within: str | None, parameters: Mapping[str, Any]
    ) -> pa.Table:
        try:
            return self._read(sql, versions, at, within, parameters)
        except (duckdb.IOException, duckdb.InvalidInputException, AuditFailed):
            # Maintenance removed files, or the lake was replaced: the same is asked of the files that there are now.
            self.forget_versions()
            self._selections.clear()
        try:
            return self._read(sql, tuple((table, at.get(table, self.version(table))) for table, _ in versions), at, within, parameters)
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise unreadable(self.lake, ", ".join(table for table, _ in versions), error) from error

    def _read(
        self, sql: str, versions: tuple[tuple[str, int | None], ...], at: Mapping[str, int], within: str | None, parameters: Mapping[str, Any]
    ) -> pa.Table:
        past = self.lake.at(at)
        selections = {table: past.selection(table) if table in at else self._selection(table, version) for table, version in versions}
        sources = ", ".join(f"{table.replace('/', '_')} as ({found.sql(within)})" for table, found in selections.items())
        try:
            return _ask(self._database, f"with {sources} select * from ({sql})" if sources else sql, parameters)
        except duckdb.BinderException:
            # All files of a region may be of before a column was added, which those of others have.
            if within is None:
                raise
            return self._read(sql, versions, at, None, parameters)

    def _selection(self, table: str, version: int | None) -> Selection:
        with self._selecting:
            known, found = self._selections.get(table, (-1, None))
            if found is None or known != version:
                try:
                    found = (self.lake if version is None else self.lake.at({table: version})).selection(table)
                except MissingData as error:
                    # Nothing removes files of the present version.
                    raise unreadable(self.lake, table, error) from error
                self._selections[table] = version, found
            return found


def _commit(log: Path, version: int) -> _Commit:
    try:
        found = (log / f"{version:020}.json").stat()
    except FileNotFoundError:
        return version, 0, 0
    return version, found.st_mtime_ns, found.st_ino


def _ask(database: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]) -> pa.Table:
    with session_of(database) as cursor:
        return cursor.execute(sql, dict(parameters)).to_arrow_table()


_readers: dict[str, Reader] = {}
_making = threading.Lock()


def reader_of(lake: Lake) -> Reader:
    """The process's reader of a lake."""
    with _making:
        if lake.root not in _readers:
            _readers[lake.root] = Reader(lake)
        return _readers[lake.root]
