"""How far slices and reference data have come on their way from landing to gold: the record that pending follows from.

Before anything of a slice is touched it is marked as unfinished, and the mark goes when the last step is done. So whatever is interrupted, between
any two steps, stays pending, also where landing goes back to what had been conditioned before. `transforms.landing.ledger` tells what is pending.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pyarrow as pa

from transforms.calendar import Region, Slice, SliceBlock, Week
from transforms.contracts.bronze import CONDITIONED_REFERENCES, CONDITIONED_SLICES, INGESTED_REFERENCES, INGESTED_SLICES
from transforms.contracts.gold import DEMAND
from transforms.lake.lease import turn, turn_is_taken
from transforms.lake.tables import Lake, block_predicate

UNFINISHED = "unfinished"
"""Stands for a source in the record of what is not finished."""
_IN_GOLD = "in gold"
SHIPPED = "silver/shipments"
_SHIPMENTS, _RETURNS = "shipments", "returns"
_NAME = "conditioning"


def taking_turns(lake: Lake) -> AbstractContextManager[None]:
    """One writer of bronze, silver and gold/demand at a time: another waits. The lock goes with the process that holds it."""
    return turn(lake, _NAME)


def under_way(lake: Lake) -> bool:
    """True while some process takes in or conditions."""
    return turn_is_taken(lake, _NAME)


def unfinished(lake: Lake, block: SliceBlock) -> None:
    """Mark every slice of the block as unfinished."""
    lake.replace(CONDITIONED_SLICES.name, block, _marks(block, ""))


def references_unfinished(lake: Lake) -> None:
    """Mark the reference data as unfinished."""
    mark = [{"source": UNFINISHED, "fingerprint": ""}]
    lake.overwrite(CONDITIONED_REFERENCES.name, pa.Table.from_pylist(mark, schema=CONDITIONED_REFERENCES.schema))


@contextmanager
def conditioning(lake: Lake, block: SliceBlock) -> Iterator[None]:
    """While gold's tables are made from bronze. Then the record tells what bronze held at the start; the slices stay unfinished until `finish`."""
    with taking_turns(lake):
        held = lake.read_or_empty(INGESTED_SLICES.name, where=block_predicate("week", block))
        unfinished(lake, block)
        yield
        lake.replace(CONDITIONED_SLICES.name, block, pa.concat_tables([Lake.conform(CONDITIONED_SLICES, held), _marks(block, _IN_GOLD)]))


@contextmanager
def conditioning_references(lake: Lake) -> Iterator[None]:
    """While silver's reference tables are made from bronze."""
    with taking_turns(lake):
        held = lake.read_or_empty(INGESTED_REFERENCES.name)
        references_unfinished(lake)
        yield
        lake.overwrite(CONDITIONED_REFERENCES.name, held)


def finish(lake: Lake, block: SliceBlock) -> list[Slice]:
    """Take the mark from the slices of the block that stand in gold, now that all that follows from them is done; return those that keep it."""
    predicate = block_predicate("week", block)
    rows = lake.read(CONDITIONED_SLICES.name, where=predicate)
    marked = rows.to_pylist()
    left = {(row["region"], row["week"]) for row in marked if row["source"] == UNFINISHED and row["fingerprint"] != _IN_GOLD}
    kept = [row for row in marked if row["source"] != UNFINISHED or (row["region"], row["week"]) in left]
    lake.replace(CONDITIONED_SLICES.name, block, pa.Table.from_pylist(kept, schema=CONDITIONED_SLICES.schema))
    return [item for item in block.slices() if (str(item.region), item.week.monday) in left]


def complete_weeks(lake: Lake) -> dict[Region, list[Week]]:
    """Weeks of each region that stand in gold, oldest first, with shipments and with the weather, if the week before it had that.

    Returns are not waited for: there are weeks without any, and they become known late.
    """
    sources: dict[Region, dict[Week, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in lake.read_or_empty(CONDITIONED_SLICES.name).to_pylist():
        sources[Region(row["region"])][Week(row["week"])].add(row["source"])
    complete = {region: [week for week in sorted(weeks) if _is_complete(weeks, week)] for region, weeks in sources.items()}
    return {region: weeks for region, weeks in complete.items() if weeks}


def _is_complete(sources: Mapping[Week, set[str]], week: Week) -> bool:
    awaited = sources.get(week + -1, set()) - {UNFINISHED, _RETURNS}
    return UNFINISHED not in sources[week] and _SHIPMENTS in sources[week] and awaited <= sources[week]


def reopen(lake: Lake, block: SliceBlock) -> None:
    """Mark the slices of a block as unfinished, so that the next run conditions them again."""
    with taking_turns(lake):
        unfinished(lake, block)


def out_of_step(lake: Lake) -> list[Slice]:
    """Slices in which gold/demand holds other deliveries than silver, without those whose conditioning is unfinished and pending anyway."""
    if not (lake.exists(DEMAND.name) and lake.exists(SHIPPED)):
        return []
    found = lake.query(
        """
        select coalesce(s.region, d.region) as region, coalesce(s.week, d.week) as week
        from (select region, week, sum(units_shipped) as units from silver group by region, week) as s
        full outer join (select region, week, sum(units_shipped) as units from demand group by region, week) as d
        on s.region = d.region and s.week = d.week
        where coalesce(s.units, 0) <> coalesce(d.units, 0)
        """,
        silver=SHIPPED,
        demand=DEMAND.name,
    ).to_pylist()
    marks = lake.read_or_empty(CONDITIONED_SLICES.name, where=f"source = '{UNFINISHED}'").to_pylist()
    waiting = {(row["region"], row["week"]) for row in marks}
    return sorted(Slice(Region(row["region"]), Week(row["week"])) for row in found if (row["region"], row["week"]) not in waiting)


def _marks(block: SliceBlock, fingerprint: str) -> pa.Table:
    rows = [{"region": str(item.region), "week": item.week.monday, "source": UNFINISHED, "fingerprint": fingerprint} for item in block.slices()]
    return pa.Table.from_pylist(rows, schema=CONDITIONED_SLICES.schema)
