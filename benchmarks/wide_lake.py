"""A lake with millions of forecast rows, made of a small one: each store and product several times, and each week of a plan many weeks long.

What stands in it is what models said of other series and weeks: its shapes and texts are real, its accuracy means nothing. Files lie
as weekly cycles leave them: one for each region and origin. How a lake comes to be by runs is `worlds`'s.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import Contract
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import ACCURACY, CONTRIBUTIONS, DEMAND, FORECASTS, ORDER_PLAN, PLAN_VALUE
from transforms.contracts.life_cycle import LADDER, RETRAINING
from transforms.contracts.orders import ORDER_PLAN_FINAL
from transforms.contracts.silver import SILVER_EVENT_WEEKS, SILVER_PRODUCTS, SILVER_STORES
from transforms.lake.database import open_database
from transforms.lake.tables import Lake
from transforms.orders.final import keep_final

_OF_ORIGINS = (FORECASTS, ORDER_PLAN, ORDER_PLAN_FINAL, CONTRIBUTIONS)
_OF_WEEKS = (ACCURACY, PLAN_VALUE, DRIFT, LADDER, RETRAINING)
_REFERENCES = (SILVER_STORES, SILVER_PRODUCTS, SILVER_EVENT_WEEKS)
_SHIFTED = ("origin_week", "target_week", "trained_week")
_UNCOMPARED = 26
"""Weeks of a block from which on a replacement is streamed, and not compared with what stands there."""


@dataclass(frozen=True, slots=True)
class Width:
    """How often each store and each product is there, and of how many origins."""

    stores: int
    products: int
    origins: int


def widened(base: Path, root: Path, width: Width) -> Lake:
    """Make a wide lake below `root` of what a lake that runs made holds at its newest origin."""
    shutil.copytree(base / "lake", root / "lake")
    shutil.copy(base / "shelfcast.yaml", root)
    lake = Lake(str(root))
    _in_step(lake)
    for contract in (*_REFERENCES, DEMAND, *_OF_ORIGINS, *_OF_WEEKS):
        if lake.exists(contract.name):
            _widen(lake, contract, width)
    return lake


def renewed(lake: Lake) -> None:
    """Commit a new version of every sliced table: one region's newest slice, written again as it is. Nothing that was kept of answers holds then."""
    for contract in (DEMAND, *_OF_ORIGINS, *_OF_WEEKS):
        if lake.exists(contract.name):
            week = contract.week_column
            rows = _rows(lake, contract, f"true qualify region = min(region) over () and {week} = max({week}) over ()")
            _replace(lake, contract, rows, Week(rows[week][0].as_py()))


def _in_step(lake: Lake) -> None:
    """Let the newest plan be loaded: lakes of before there were edits lack that."""
    if not lake.exists(ORDER_PLAN_FINAL.name):
        plans = _rows(lake, ORDER_PLAN, _newest(ORDER_PLAN))
        last = Week(plans["origin_week"][0].as_py())
        keep_final(lake, SliceBlock(_regions(plans), last, last))


def _widen(lake: Lake, contract: Contract, width: Width) -> None:
    rows = _rows(lake, contract, _newest(contract))
    # Anew, so that versions that records name are as wide as the present one.
    shutil.rmtree(lake.uri(contract.name))
    with open_database() as connection:
        connection.register("narrow", rows)
        wide = f"select narrow.* {_renamed(contract)} from narrow, range({width.stores}) as s(s), range({width.products}) as p(p) {_once(contract)}"
        if contract in _REFERENCES:
            lake.overwrite(contract.name, connection.execute(wide).to_arrow_table())
        elif contract == DEMAND:
            first, last = (Week(connection.execute(f"select {which}(week) from narrow").fetchall()[0][0]) for which in ("min", "max"))
            _replace(lake, contract, connection.execute(wide).to_arrow_table(), first, last - first)
        else:
            last = Week(connection.execute(f"select max({contract.week_column}) from narrow").fetchall()[0][0])
            for back in reversed(range(width.origins)):
                moved = connection.execute(f"select * {_moved(contract, last, back)} from ({wide})").to_arrow_table()
                _replace(lake, contract, moved, last + -back)


def _newest(contract: Contract) -> str:
    """SQL: the rows of the newest origin; where rows are of the weeks that came, the newest of each key."""
    if contract in _OF_ORIGINS:
        return f"origin_week = (select max(origin_week) from {contract.name.replace('/', '_')})"
    if contract in _OF_WEEKS:
        keys = ", ".join(f'"{name}"' for name in contract.key if name != "week")
        return f"true qualify row_number() over (partition by {keys} order by week desc) = 1"
    return "true"


def _renamed(contract: Contract) -> str:
    """SQL: the first of the copies keeps its name."""
    renamed = [
        f"if({letter} = 0, {column}, {column} || '-' || {letter}) as {column}"
        for column, letter in (("store_id", "s"), ("product_id", "p"))
        if column in contract.names
    ]
    if contract in (SILVER_STORES, SILVER_PRODUCTS):
        letter = "s" if contract == SILVER_STORES else "p"
        renamed.append(f"if({letter} = 0, name, name || ' ' || chr(65 + {letter}::int)) as name")
    return f"replace ({', '.join(renamed)})" if renamed else ""


def _once(contract: Contract) -> str:
    """SQL: rows that are of no store (or product) are there once."""
    copied = {"s": "store_id", "p": "product_id"}
    return "where " + " and ".join(
        f"({letter} = 0 or {column} is not null)" if column in contract.names else f"{letter} = 0" for letter, column in copied.items()
    )


def _moved(contract: Contract, last: Week, back: int) -> str:
    if contract in _OF_WEEKS:
        return f"replace ((date '{last}' - 7 * {back})::date as week)"
    return f"replace ({', '.join(f'({name} - 7 * {back})::date as {name}' for name in _SHIFTED if name in contract.names)})"


def _rows(lake: Lake, contract: Contract, where: str) -> pa.Table:
    with lake.connect(contract.name) as connection:
        return connection.execute(f"select * from {contract.name.replace('/', '_')} where {where}").to_arrow_table()


def _regions(rows: pa.Table) -> tuple[Region, ...]:
    return tuple(map(Region, sorted(rows["region"].unique().to_pylist())))


def _replace(lake: Lake, contract: Contract, rows: pa.Table, week: Week, weeks: int = 0) -> None:
    """Put rows in without comparing: the block reaches over weeks behind them, of which there are none yet."""
    lake.replace(contract.name, SliceBlock(_regions(rows), week, week + max(weeks, _UNCOMPARED)), lambda: lake.conform(contract, rows).to_reader())
