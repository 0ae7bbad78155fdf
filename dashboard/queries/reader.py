"""How pages read a lake: SQL over tables at their present versions, answered once for each state of the tables it names.

Nothing is loaded whole: DuckDB reads the files of the tables, and what it answers is kept in memory as long as it is asked for.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from transforms.lake.database import open_database
from transforms.lake.tables import Lake
from transforms.rows import Row

_VERSIONS_SECONDS = 1.0
"""So long a version that was looked up holds: a page asks for a table many times while it is drawn."""
_ANSWERS, _ANSWER_BYTES = 2_000, 256 << 20
_Key = tuple[Hashable, ...]


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
        self._kept, self._looked_up, self._sources = _Kept(), dict[str, tuple[float, int | None]](), dict[str, tuple[int | None, str]]()
        self._database = open_database()
        self._database.execute("set parquet_metadata_cache = true")
        lake.reach(self._database)

    def table(self, sql: str, *tables: str, **parameters: Any) -> pa.Table:
        """The rows of a query (DuckDB's SQL) in which each table is named `layer_table`; no rows in one that does not exist yet.

        `sql` is made from constants and validated keys, all else comes as `$parameters`.
        """
        versions = tuple((table, self.version(table)) for table in tables)
        key: _Key = (sql, versions, tuple(sorted(parameters.items())))
        if (answer := self._kept.find(key)) is None:
            sources = ", ".join(f"{table.replace('/', '_')} as ({self._source(table, version)})" for table, version in versions)
            answer = _ask(self._database, f"with {sources} select * from ({sql})" if sources else sql, parameters)
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
            version = self.lake.version(table)
            self._looked_up[table] = time.monotonic(), version
        return version

    def forget_versions(self) -> None:
        """Look versions up again: something was written just now."""
        self._looked_up.clear()

    def _source(self, table: str, version: int | None) -> str:
        known, sql = self._sources.get(table, (-1, ""))
        if known != version:
            sql = (self.lake if version is None else self.lake.at({table: version})).select(table)
            self._sources[table] = version, sql
        return sql


def _ask(database: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]) -> pa.Table:
    # Each thread its own cursor: a connection answers one at a time.
    with database.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'")
        return cursor.execute(sql, dict(parameters)).to_arrow_table()


_readers: dict[str, Reader] = {}
_making = threading.Lock()


def reader_of(lake: Lake) -> Reader:
    """The process's reader of a lake."""
    with _making:
        if lake.root not in _readers:
            _readers[lake.root] = Reader(lake)
        return _readers[lake.root]
