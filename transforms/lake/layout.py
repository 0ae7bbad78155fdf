"""How the rows of a sliced table lie in files: weeks that are still written over apart from those that stand still.

A slice that is replaced makes deltalake write every file anew that holds any of its weeks, with all other weeks in it; versions that are kept go on
naming the old one. So a file with the whole history, made anew each week, would take up the square of the weeks. Here such a file is cut where the
open weeks begin, and small files of closed weeks are merged. Both change no row: what is removed is added again in the same commit, which is made
only while all that it removes still stands. Which versions are kept and what may be removed is `transforms.lake.maintenance`'s question.
"""

import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.fs import PyFileSystem

from transforms.contracts import Contract

MERGED = "small files merged"
"""What the commit says that changes how rows lie in files."""
SMALL = 32 << 20
"""Bytes below which a file is small: what is merged is not merged again and again once it is larger."""
OPEN_WEEKS = 4
"""Newest weeks of a region that are written over week by week: forecasts of the weather one ahead, returns up to two late."""
_WORTH_CUTTING = 4
"""Closed weeks in a file from which they are cut off: fewer would be a file each week."""
_FULL_WEEKS, _MOST_WEEKS = 26, 52
"""Weeks from which a file is not merged any more, and that a merged one spans at most: a correction makes one of them anew."""
_ATTEMPTS = 5
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A data file of the present version: its path below the table's folder, its region, bytes, and first and last week."""

    path: str
    region: str
    size: int
    first: date
    last: date

    @property
    def weeks(self) -> int:
        """Weeks from the first to the last."""
        return (self.last - self.first) // _WEEK + 1


@dataclass(frozen=True)
class Plan:
    """Files to cut, each with the first week of its open part, and groups of files to merge."""

    cuts: Mapping[Piece, date] = field(default_factory=dict)
    merges: Sequence[Sequence[Piece]] = ()

    @property
    def files(self) -> int:
        """Files that others take the place of."""
        return len(self.cuts) + sum(map(len, self.merges))


def pieces(delta: DeltaTable, contract: Contract) -> list[Piece]:
    """The data files of a table whose weeks its log tells."""
    actions = pa.table(delta.get_add_actions(flatten=True))
    names = ["path", "partition.region", "size_bytes", f"min.{contract.week_column}", f"max.{contract.week_column}"]
    if not set(names) <= set(actions.column_names):
        return []
    rows = zip(*(actions[name].to_pylist() for name in names), strict=True)
    return [Piece(*row) for row in rows if None not in row]


def plan(found: Iterable[Piece], merge_from: int) -> Plan:
    """What is worth changing: files with several closed weeks beside open ones are cut, closed small files merged once a region has `merge_from`."""
    cuts: dict[Piece, date] = {}
    merges: list[list[Piece]] = []
    for _, group in groupby(sorted(found, key=lambda piece: (piece.region, piece.first, piece.last, piece.path)), key=lambda piece: piece.region):
        of_region = list(group)
        opens = max(piece.last for piece in of_region) - (OPEN_WEEKS - 1) * _WEEK
        cuts |= {piece: opens for piece in of_region if piece.last >= opens and (opens - piece.first) // _WEEK >= _WORTH_CUTTING}
        closed = [piece for piece in of_region if piece.last < opens and piece.size < SMALL and piece.weeks < _FULL_WEEKS]
        together = [run for run in _runs(closed) if len(run) > 1]
        if sum(map(len, together)) >= merge_from:
            merges += together
    return Plan(cuts, merges)


def rearrange(delta: DeltaTable, contract: Contract, wanted: Plan, options: dict[str, str] | None) -> int:
    """Do what was planned in one commit; return how many files others took the place of, 0 where another process took one of them away.

    Nothing but the present version learns of it: files that were replaced stay until maintenance removes them.
    """
    files = PyFileSystem(DeltaStorageHandler.from_table(delta._table, options))
    added: list[AddAction] = []
    for piece, opens in wanted.cuts.items():
        week = pc.field(contract.week_column)
        added += [_written(files, contract, [piece], rows) for rows in (week < pa.scalar(opens), week >= pa.scalar(opens))]
    added += [_written(files, contract, group, None) for group in wanted.merges]
    replaced = [*wanted.cuts, *(piece for group in wanted.merges for piece in group)]
    now = int(time.time() * 1000)
    removed = [RemoveAction(piece.path, False, now, piece.size, {"region": piece.region}) for piece in replaced]
    properties = CommitProperties(max_commit_retries=0, custom_metadata={"shelfcast": MERGED})
    for _ in range(_ATTEMPTS):
        if not {piece.path for piece in replaced} <= set(pa.table(delta.get_add_actions())["path"].to_pylist()):
            break
        try:
            delta.create_write_transaction([*added, *removed], "append", delta.schema(), ["region"], commit_properties=properties)
        except CommitFailedError:
            # Any commit in between makes this one fail: what counts is whether it took away what this one replaces.
            delta.update_incremental()
        else:
            return len(replaced)
    for action in added:
        files.delete_file(action.path)
    return 0


def _runs(closed: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Neighbours that become one file, none of more than `_MOST_WEEKS` or so many bytes that it is not small."""
    run: list[Piece] = []
    for piece in closed:
        if run and ((piece.last - run[0].first) // _WEEK >= _MOST_WEEKS or sum(other.size for other in run) + piece.size > SMALL):
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _written(files: PyFileSystem, contract: Contract, group: Sequence[Piece], rows: pc.Expression | None) -> AddAction:
    """Write the rows of files, one file after the other, into a new one. Only weeks get statistics: readers skip files by nothing else."""
    sources = [pq.ParquetFile(piece.path, filesystem=files) for piece in group]
    schema = pa.unify_schemas([source.schema_arrow.remove_metadata() for source in sources])
    path = f"region={group[0].region}/part-00000-{uuid.uuid4()}-c000.zstd.parquet"
    count, weeks = 0, list[date]()
    with pq.ParquetWriter(path, schema, compression="zstd", filesystem=files) as writer:
        for source in sources:
            for batch in source.iter_batches():
                table = pa.Table.from_batches([batch])
                table = table if rows is None else table.filter(rows)
                if table.num_rows:
                    missing = [name for name in schema.names if name not in table.column_names]
                    for name in missing:
                        table = table.append_column(name, pa.nulls(table.num_rows, schema.field(name).type))
                    writer.write_table(table.select(schema.names).cast(schema))
                    count += table.num_rows
                    weeks += pc.min_max(table[contract.week_column]).as_py().values()
            source.close()
    low, high = ({contract.week_column: str(edge)} for edge in (min(weeks), max(weeks)))
    stats = {"numRecords": count, "minValues": low, "maxValues": high, "nullCount": {contract.week_column: 0}}
    size = files.get_file_info(path).size
    return AddAction(path, size, {"region": group[0].region}, int(time.time() * 1000), False, json.dumps(stats))
