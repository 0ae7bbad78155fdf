"""Versions of each region's conditioned data: what they held, whether they were approved, and which one an origin may use.

A version is a content hash over the tables that models read, with the Delta versions that hold it. Two append-only tables keep every version and
every decision; the present state is a query.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from transforms.calendar import Region, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.gold import DEMAND
from transforms.contracts.life_cycle import DATASET_EVENTS, DATASET_VERSIONS
from transforms.contracts.silver import SILVER_EVENT_WEEKS, SILVER_PRODUCTS, SILVER_RETURNS, SILVER_STORES, SILVER_WEATHER_KNOWN
from transforms.errors import DataNotApproved, MissingData
from transforms.lake.tables import Lake, region_list
from transforms.records.data_checks import Check, Limits, data_checks

READ_TABLES = (DEMAND.name, SILVER_RETURNS.name, SILVER_STORES.name, SILVER_PRODUCTS.name, SILVER_EVENT_WEEKS.name, SILVER_WEATHER_KNOWN.name)
"""What models read: a dataset version is a version of these."""

Status = Literal["awaiting approval", "approved", "rejected"]
History = Literal["as_known", "as_corrected"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """One version of a region's data, at one time at which it became the present one."""

    region: Region
    version: str
    last_week: Week
    rows: int
    delta_versions: dict[str, int]
    checks: list[Check]
    recorded_at: datetime
    status: Status
    actor: str
    reason: str

    @property
    def failed(self) -> list[Check]:
        """Data checks that did not pass."""
        return [check for check in self.checks if not check.passed]


def record(lake: Lake, regions: Sequence[Region], limits: Limits, run_id: str, now: datetime) -> list[Dataset]:
    """Put the present data of `regions` on record where they differ from the latest version, and check them.

    A new version waits for approval: whoever judges the checks, the training and the scores approves it, or leaves it to a person (`decide`).

    Returns
    -------
    list of Dataset
        The versions that are new.
    """
    if not lake.exists(DEMAND.name) or not regions:
        return []
    pins = lake.versions(READ_TABLES)
    present = lake.at(pins)
    known = log(lake, regions)
    newest = {dataset.region: dataset for dataset in known}
    last_week = _last_week(present)
    if last_week is None:
        return []
    contents, rows = contents_of(present, regions), []
    for region in regions:
        if region not in contents:
            continue
        count, content = contents[region]
        version, latest = f"{region}-{content}", newest.get(region)
        if latest is not None and (latest.version, latest.last_week) == (version, last_week):
            continue
        approved = last_approved(known, region)
        checks = data_checks(present, lake.at(approved.delta_versions) if approved else None, region, last_week, limits)
        rows.append(
            {
                "region": str(region),
                "dataset_version": version,
                "last_week": last_week.monday,
                "rows": count,
                "delta_versions": json.dumps(pins, sort_keys=True),
                "checks": json.dumps([asdict(check) for check in checks]),
                "run_id": run_id,
                "recorded_at": now,
            }
        )
    if rows:
        lake.append(DATASET_VERSIONS.name, pa.Table.from_pylist(rows, schema=DATASET_VERSIONS.schema))
    found = {row["region"] for row in rows}
    return [dataset for dataset in latest_versions(lake, regions) if str(dataset.region) in found]


def latest_versions(lake: Lake, regions: Iterable[Region] | None = None) -> list[Dataset]:
    """The version that each region's data have now."""
    return list({dataset.region: dataset for dataset in log(lake, regions)}.values())


def decide(lake: Lake, dataset: Dataset, event: Status, actor: str, reason: str, now: datetime) -> None:
    """Put a decision on a version on record, with who and why."""
    row = {"region": str(dataset.region), "dataset_version": dataset.version, "event_time": now, "event": event, "actor": actor, "reason": reason}
    lake.append(DATASET_EVENTS.name, pa.Table.from_pylist([row], schema=DATASET_EVENTS.schema))


def log(lake: Lake, regions: Iterable[Region] | None = None) -> list[Dataset]:
    """Every version on record, oldest first, each with its latest decision."""
    wanted = None if regions is None else list(regions)
    if wanted == [] or not lake.exists(DATASET_VERSIONS.name):
        return []
    chosen = f"where v.region in ({region_list(wanted)})" if wanted is not None else ""
    with lake.connect(DATASET_VERSIONS.name, DATASET_EVENTS.name) as connection:
        rows = connection.execute(
            f"""
            with decided as (
                select * from gold_dataset_events
                qualify row_number() over (partition by region, dataset_version order by event_time desc) = 1
            )
            select v.*, e.event, e.actor, e.reason from gold_dataset_versions as v left join decided as e using (region, dataset_version)
            {chosen} order by recorded_at, v.region
            """
        ).to_arrow_table()
    return [_dataset(row) for row in rows.to_pylist()]


def usable(lake: Lake, region: Region, origin: Week, history: History) -> Dataset:
    """The version that training and scoring at `origin` use.

    `as_known`: the last approved version of the time when `origin` was the last week, so that a backfill sees what was known then, corrections that
    came later left out; where the lake is younger than the origin, and with `as_corrected` always, the latest approved version. What lies after the
    origin, and returns and forecasts that became known after it, are left out in any case by the panel.

    Raises
    ------
    DataNotApproved
        If the week is only in versions that are not approved; the message says what speaks against the latest and how to release it.
    MissingData
        If the week is in no version.
    """
    known = [dataset for dataset in log(lake, [region]) if dataset.last_week >= origin]
    if not known:
        newest = max((dataset.last_week for dataset in log(lake, [region])), default=None)
        there = f"they end with {newest}" if newest else "there is none yet"
        raise MissingData(
            f"{region}: week {origin} is in no version of its data: {there}. Choose another week, or drop its files and run 'shelfcast run'."
        )
    approved = [dataset for dataset in known if dataset.status == "approved"]
    if not approved:
        raise DataNotApproved(_not_approved(known[-1], origin))
    then = [dataset for dataset in approved if dataset.last_week == origin]
    return then[-1] if then and history == "as_known" else approved[-1]


def approved_before(lake: Lake, region: Region, moment: datetime | None = None) -> Dataset | None:
    """The region's version that was approved and recorded last before a moment (of all, without one); None before there is one."""
    return last_approved(log(lake, [region]), region, moment)


def last_approved(known: Iterable[Dataset], region: Region, moment: datetime | None = None) -> Dataset | None:
    """`approved_before`, of versions that were read already (`log`)."""
    found = [dataset for dataset in known if (dataset.region, dataset.status) == (region, "approved")]
    return next((dataset for dataset in reversed(found) if moment is None or dataset.recorded_at < moment), None)


def _not_approved(dataset: Dataset, origin: Week) -> str:
    against = "; ".join(map(str, dataset.failed)) or dataset.reason
    return (
        f"{dataset.region}: week {origin} is only in data version {dataset.version}, which is {dataset.status}: {against}. "
        f"Look at it with 'shelfcast data log --region {dataset.region}' and 'shelfcast data diff --region {dataset.region}', then drop a corrected "
        f"file, or release it with 'shelfcast data approve --region {dataset.region} --by NAME --why WHY'."
    )


def _dataset(row: dict[str, Any]) -> Dataset:
    return Dataset(
        region=Region(row["region"]),
        version=row["dataset_version"],
        last_week=Week(row["last_week"]),
        rows=row["rows"],
        delta_versions=json.loads(row["delta_versions"]),
        checks=[Check(**check) for check in json.loads(row["checks"])],
        recorded_at=row["recorded_at"],
        status=row["event"] or "awaiting approval",
        actor=row["actor"] or "",
        reason=row["reason"] or "not decided yet",
    )


def _last_week(lake: Lake) -> Week | None:
    """The last week with demand, None where every delivery waits or was withdrawn."""
    found = lake.read(DEMAND.name, columns="max(week) as week")["week"][0].as_py()
    return None if found is None else Week(found)


def contents_of(lake: Lake, regions: Sequence[Region]) -> dict[Region, tuple[int, str]]:
    """Rows of demand and an order-free content hash over all tables that models read, for each region.

    A column that the contract got after a table was written does not enter: what was recorded then hashes to the same with every later version.
    """
    parts = []
    for table in READ_TABLES:
        stored = lake.stored_columns(table)
        names = [name for name in CONTRACTS[table].names if name in stored or not stored]
        region = "region" if "region" in names else "null"
        content = f"sum(hash('{table}', {', '.join(names)})::hugeint)"
        parts.append(f"select {region} as region, '{table}' as t, count(*) as n, {content} as content from {table.replace('/', '_')} group by all")
    with lake.connect(*READ_TABLES) as connection:
        rows = connection.execute(
            f"""
            with parts as ({" union all ".join(parts)}), regions as (select unnest([{region_list(regions)}]) as region)
            select r.region, sum(n) filter (where t = 'gold/demand')::bigint, sum(content) from regions as r
            join parts as p on p.region = r.region or p.region is null
            group by r.region having count(*) filter (where t = 'gold/demand') > 0
            """
        ).fetchall()
    return {Region(region): (count, f"{int(content) % (1 << 64):016x}"[:12]) for region, count, content in rows}
