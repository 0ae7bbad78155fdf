"""Metadata of the asset pages: column schemas from the contracts, and one typed result for each slice that was written."""

import base64
import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from orchestration.runtime.ranges import MANY_SLICES, MOST_PAGES, key_of
from transforms.calendar import Slice
from transforms.contracts import CONTRACTS, Column, Contract
from transforms.lake.tables import Lake, day

Metadata = Mapping[str, Any]
_MARKUP = re.compile(r"[\\`*\[\]|~!]")
_PAGES = {
    "training": ("retraining", "ladder", "model_versions", "model_events", "experiments", "leaderboard"),
    "monitoring": ("accuracy", "drift", "dataset_versions", "dataset_events", "ab_lift", "pipeline_steps", "alerts", "quarantine"),
    "scoring": ("demand", "forecasts", "contributions"),
    "orders": ("order_plan", "order_plan_final", "overrides", "plan_events"),
    "overview": ("plan_value", "maturity"),
    "value_added": ("value_added",),
}
_PAGE_OF = {table: f"/pages/{page}" for page, tables in _PAGES.items() for table in tables}
"""Where people look at a table: below the front, which serves the pages beside Dagster."""


def table_metadata(contract: Contract) -> dict[str, Any]:
    """Definition metadata of an asset that is a table of the lake."""
    page = {"page": dg.MetadataValue.url(_PAGE_OF[contract.table])} if contract.table in _PAGE_OF else {}
    return page | {
        "dagster/column_schema": dg.TableSchema(
            columns=[_column(column, contract) for column in contract.columns],
        ),
        "dagster/table_name": contract.name,
        "grain": contract.grain,
    }


def _column(column: Column, contract: Contract) -> dg.TableColumn:
    unit = f" [{column.unit}]" if column.unit else ""
    return dg.TableColumn(
        name=column.name,
        type=column.kind,
        description=f"{column.description}{unit}",
        constraints=dg.TableColumnConstraints(nullable=not column.required, unique=contract.key == (column.name,)),
    )


def table_spec(name: str, **more: Any) -> dg.AssetSpec:
    """Asset spec of a table: key, description, columns and kinds follow its contract."""
    contract = CONTRACTS[name]
    more.setdefault("kinds", {"deltalake"})
    return dg.AssetSpec(
        key=dg.AssetKey([contract.layer, contract.table]),
        description=_described(contract),
        metadata={**table_metadata(contract), **more.pop("metadata", {})},
        **more,
    )


def _described(contract: Contract) -> str:
    """What a row is, and the way to the page where people look at the table: metadata stands far below."""
    page = _PAGE_OF.get(contract.table)
    return contract.grain if page is None else f"{contract.grain}\n\n[Look at it on the pages]({page})"


def add_large(context: dg.AssetExecutionContext, key: dg.AssetKey, make: Callable[[], Metadata]) -> None:
    """Make and add metadata that is large and the same for every slice, unless the run is for very many.

    Dagster stores an event for each slice with all its metadata: for 282 weeks of 14 regions that took longer than the work itself. The page of the
    asset shows it from the next ordinary run on.
    """
    partitioned = context.has_partition_key_range or context.has_partition_key
    if not partitioned or len(context.partition_keys) <= MANY_SLICES:
        context.add_asset_metadata(make(), key)


def add_by_slice(context: dg.AssetExecutionContext, key: dg.AssetKey, slices: Sequence[Slice], make: Callable[[Slice], Metadata]) -> None:
    """Make and add metadata for each slice's own page, unless the run is for more than MOST_PAGES.

    Dagster's `add_asset_metadata` lists all partitions of the run from its database for each of them, which takes longer than the work itself: here
    they are listed once, and the metadata put where it puts them.
    """
    if len(slices) > MOST_PAGES:
        return
    made = {str(key_of(item)): make(item) for item in slices}
    if others := made.keys() - {*map(str, context.partition_keys)}:
        raise ValueError(f"The slices {sorted(others)[:3]} are none of this run.")
    step = context.get_step_execution_context()
    gathered = step._metadata_accumulator
    for partition, metadata in made.items():
        gathered = gathered.with_additional_asset_metadata(key, partition, metadata)
    step._metadata_accumulator = gathered


def add_pages(context: dg.AssetExecutionContext, key: dg.AssetKey, slices: Sequence[Slice], load: Callable[[], Callable[[Slice], Metadata]]) -> None:
    """The same with what all pages are made of read once before, and not at all for very many."""
    if len(slices) <= MOST_PAGES:
        add_by_slice(context, key, slices, load())


def written(lake: Lake, table: str) -> dict[str, Any]:
    """Metadata of a table that is the same on every page: Delta version, where it lies, and rows in all where it is not sliced."""
    there = {"delta_version": lake.version(table) or 0, "dagster/uri": lake.uri(table)}
    if CONTRACTS[table].sliced:
        return there
    rows = lake.read(table, columns="count(*) as n")["n"][0].as_py() if lake.exists(table) else 0
    return {"dagster/row_count": rows, **there}


def written_slices(context: dg.AssetExecutionContext, lake: Lake, table: str, slices: Sequence[Slice]) -> dict[str, Any]:
    """`written`, with the rows of each slice on its own page."""
    contract, weeks = CONTRACTS[table], [item.week for item in slices]
    with lake.connect(table) as connection:
        found = connection.execute(
            f"""
            select region, {contract.week_column}, count(*) from {table.replace("/", "_")}
            where {contract.week_column} between {day(min(weeks))} and {day(max(weeks))} group by all
            """
        ).fetchall()
    rows = {(region, week): count for region, week, count in found}
    key, told = dg.AssetKey([contract.layer, contract.table]), written(lake, table)
    if len(slices) > MOST_PAGES:
        return told
    # On each page behind what its reader asks for, which was added before.
    add_by_slice(context, key, slices, lambda item: {"dagster/partition_row_count": rows.get((str(item.region), item.week.monday), 0), **told})
    return {}


def rounded(values: Mapping[str, float | int | None]) -> dict[str, float | int]:
    """Numbers as the UI should show and plot them: four places, missing ones left out."""
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that leads elsewhere."""

    text: str
    url: str


def markdown_table(columns: list[str], rows: Iterable[Iterable[Any]]) -> dg.MarkdownMetadataValue:
    """A table for the asset page; texts in it are shown as they are, whatever they hold."""
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def picture(title: str, image: bytes | str) -> dg.MarkdownMetadataValue:
    """A picture for the asset page, a PNG or the text of an SVG, inside the page: it needs no server and no file."""
    kind, content = ("png", image) if isinstance(image, bytes) else ("svg+xml", image.encode())
    return dg.MetadataValue.md(f"![{markdown_text(title)}](data:image/{kind};base64,{base64.b64encode(content).decode()})")


def markdown_text(text: str) -> str:
    """A text that stays a text in Markdown: no table, link, picture or HTML begins or ends in it."""
    return html.escape(_MARKUP.sub(r"\\\g<0>", " ".join(text.split())), quote=False)


def _cell(value: Any) -> str:
    if isinstance(value, Link):
        return f"[{markdown_text(value.text)}]({value.url})"
    return f"{value:.3f}" if isinstance(value, float) else "" if value is None else markdown_text(str(value))
