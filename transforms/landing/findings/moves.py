"""Stores that a list puts into another region: which they are, and which of their deliveries stay behind because their files are gone."""

from collections.abc import Iterable

import pyarrow as pa

from transforms.contracts import SOURCES
from transforms.contracts.bronze import STORES
from transforms.lake.database import open_database
from transforms.lake.tables import Lake
from transforms.landing.files import FACTS, Identity
from transforms.landing.staging import Staging

_OF_STORES = tuple(source for source in FACTS if "store_id" in SOURCES[source].names)


def moves(lake: Lake, staged: Staging, listed: pa.Table, cleared: Iterable[Identity]) -> list[str]:
    """Tell which stores move with their history, and what does not follow them.

    Parameters
    ----------
    listed
        Rows of a list of stores that is taken in.
    cleared
        Versions that count though their files no longer stand in landing: they are not read again.
    """
    if not lake.exists(STORES.name):
        return []
    known = [identity for identity in cleared if staged.holds(identity)]
    behind = " union all ".join(
        f"select store_id, region, source_file from ({staged.select(source, [identity for identity in known if identity[0] == source])})"
        for source in _OF_STORES
    )
    with open_database() as connection:
        connection.register("listed", listed.select(["store_id", "region"]))
        connection.register("standing", lake.read(STORES.name, columns="store_id, region"))
        moved = connection.execute(
            """
            select l.store_id, s.region, l.region from listed as l join standing as s using (store_id) where l.region <> s.region order by l.store_id
            """
        ).fetchall()
        if not moved:
            return []
        files = connection.execute(
            f"""
            select distinct b.source_file from ({behind}) as b join listed as l using (store_id) join standing as s using (store_id)
            where l.region <> s.region and b.region <> l.region order by b.source_file
            """
        ).fetchall()
    store, old, new = moved[0]
    if len(moved) == 1:
        notes, of = [f"Store {store} moves from {old} to {new}, and its history with it."], "it"
    else:
        notes, of = [f"{len(moved)} stores move to another region, and their history with them: the first is {store}, from {old} to {new}."], "them"
    if files:
        gone = f"{len(files)} files that no longer stand in landing (like {files[0][0]})"
        notes.append(f"What is on record about {of} from {gone} stays in the old region until they are dropped again.")
    return notes
