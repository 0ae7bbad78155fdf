"""What runs and files need: the steps of the pipeline, files refused, rows in quarantine. How models and data do stands in `health`."""

from datetime import date

from dashboard.queries.reader import Reader
from transforms.lake.tables import Lake
from transforms.rows import Row

_STEPS_DAYS = 60
"""Days before the newest run of which steps are shown: what has not run since runs no more."""
_EARLIER = 12
_OVERLAP = "(f.regions is null or s.regions is null or list_has_any(string_split(f.regions, ','), string_split(s.regions, ',')))"


def last_run(reader: Reader) -> Row:
    """`ended_at` and `job` of the step that ended last; empty before there is one."""
    row = reader.row("select max(ended_at) as ended_at, arg_max(job, ended_at) as job from gold_pipeline_steps", "gold/pipeline_steps")
    return row if row.get("ended_at") else {}


def latest_steps(reader: Reader) -> list[Row]:
    """The last time that each step of each job ended, what failed and then the newest first; `earlier`: its last seconds, oldest first."""
    return reader.rows(
        f"""
        with recent as (
            select * from gold_pipeline_steps
            where ended_at > (select max(ended_at) from gold_pipeline_steps) - interval {_STEPS_DAYS} days
        ), ranked as (
            select *, row_number() over (partition by job, step order by ended_at desc, run_id) as place from recent
        ), took as (
            select job, step, list(seconds order by ended_at) as earlier from ranked
            where seconds is not null and state = 'succeeded' and place <= {_EARLIER} group by job, step
        )
        select ranked.* exclude (place), took.earlier from ranked left join took using (job, step)
        where place = 1 order by state <> 'failed', ended_at desc, started_at desc, job, step
        """,
        "gold/pipeline_steps",
    )


def failed_steps(reader: Reader) -> list[Row]:
    """Steps that failed and have not succeeded since for one of the same regions, the last failure of each, newest first."""
    return reader.rows(
        f"""
        with failed as (
            select * from gold_pipeline_steps
            where state = 'failed' and ended_at > (select max(ended_at) from gold_pipeline_steps) - interval {_STEPS_DAYS} days
        )
        select * from failed as f where not exists (
            select 1 from gold_pipeline_steps as s
            where s.job = f.job and s.step = f.step and s.state = 'succeeded' and s.ended_at > f.ended_at and {_OVERLAP}
        )
        qualify row_number() over (partition by job, step order by ended_at desc) = 1 order by ended_at desc
        """,
        "gold/pipeline_steps",
    )


def refused_files(reader: Reader) -> list[Row]:
    """Files that were refused, or held for a person, when they were looked at last: source, name, status, message, rows, since when."""
    rows = reader.rows(
        """
        select source, source_file, status, message, rows_read, registered_at from bronze_landing_files
        qualify row_number() over (partition by source, source_file order by registered_at desc) = 1 and status in ('refused', 'held')
        order by registered_at desc, source, source_file
        """,
        "bronze/landing_files",
    )
    return [row for row in rows if _stands(reader.lake, row["source_file"])]


def quarantined(reader: Reader) -> list[Row]:
    """What stands in quarantine by source, file and rule, most rows first: how many rows, and the first one with its message and what it held."""
    return reader.rows(
        """
        select source, source_file, rule, count(*) as n, count(*) filter (where kept) as kept, min("row") as first_row,
            arg_min(message, "row") as message, arg_min(record, "row") as record, max(arrived_at) as arrived_at
        from bronze_quarantine group by source, source_file, rule order by n desc, source, source_file, rule
        """,
        "bronze/quarantine",
    )


def data_that_wait(reader: Reader) -> list[Row]:
    """The present data of regions where they wait for a person: columns of gold/dataset_versions, the reason, and what was approved last.

    `approved_version` and `approved_week` are none where nothing of the region was approved yet.
    """
    return reader.rows(
        """
        with decided as (
            select * from gold_dataset_events qualify row_number() over (partition by region, dataset_version order by event_time desc) = 1
        ), standing as (
            select v.*, coalesce(event, 'awaiting approval') as status, coalesce(reason, 'nothing has judged it yet') as reason
            from gold_dataset_versions as v left join decided using (region, dataset_version)
        ), approved as (
            select region, arg_max(dataset_version, recorded_at) as approved_version, arg_max(last_week, recorded_at) as approved_week
            from standing where status = 'approved' group by region
        ), latest as (
            select * from standing qualify row_number() over (partition by region order by recorded_at desc) = 1
        )
        select latest.*, approved_version, approved_week from latest left join approved using (region)
        where status = 'awaiting approval' order by region
        """,
        "gold/dataset_versions",
        "gold/dataset_events",
    )


def newest_origin(reader: Reader) -> date | None:
    """The newest week that forecasts were made from."""
    found: date | None = reader.row("select max(origin_week) as week from gold_forecasts", "gold/forecasts").get("week")
    return found


def _stands(lake: Lake, name: str) -> bool:
    """Whether a file stands in landing still. In an object store that is not looked up for a page: there the last look counts."""
    if not lake.landing.is_local:
        return True
    landing = lake.landing.path("landing")
    return landing.is_dir() and any((folder / name).exists() for folder in landing.iterdir() if folder.is_dir())
