"""Measurements of operations: data that wait for a person, landing files, runs, and lineage on its way to a receiver."""

from orchestration.project import FILE, PROVIDER_FOLDER, Project
from orchestration.telemetry.families import Collector, Family, known, query
from orchestration.telemetry.outbox import Outbox
from transforms.adapters import load_provider
from transforms.contracts.bronze import CONDITIONED_REFERENCES, CONDITIONED_SLICES, LANDING_FILES, STORES
from transforms.contracts.life_cycle import DATASET_EVENTS, DATASET_VERSIONS
from transforms.contracts.operations import PIPELINE_STEPS
from transforms.lake.backup import OUTBOX
from transforms.lake.tables import Lake
from transforms.landing import pending, pending_references, refused_files, regions
from transforms.records.dataset_versions import latest_versions


def _data(lake: Lake) -> list[Family]:
    waiting = [((str(data.region),), data.status == "awaiting approval") for data in latest_versions(lake)]
    return [Family("shelfcast_data_awaiting_approval", "1 where the region's newest data wait for a person's approval.", ("region",), waiting)]


def _landing(lake: Lake) -> list[Family]:
    provider = load_provider(Project.of(lake).provider, base=lake.path())
    waiting = dict.fromkeys(map(str, regions(lake) if lake.exists(STORES.name) else []), 0)
    for item in pending(lake, provider):
        waiting[str(item.region)] = waiting.get(str(item.region), 0) + 1
    refused, references = len(refused_files(lake, provider)), len(pending_references(lake, provider))
    return [
        Family("shelfcast_refused_files", "Files in landing that are refused, or held for a person.", (), [((), refused)]),
        Family(
            "shelfcast_pending_slices", "Weeks of a region that landing has and gold does not.", ("region",), [((r,), n) for r, n in waiting.items()]
        ),
        Family("shelfcast_pending_references", "Lists of reference data that landing has and gold does not.", (), [((), references)]),
    ]


def _runs(lake: Lake) -> list[Family]:
    last = query(
        lake,
        """
        with runs as (
            select job, run_id, epoch(min(started_at)) as began, epoch(max(ended_at)) as ended, bool_and(state = 'succeeded') as good
            from gold_pipeline_steps group by all
        )
        select job, max(ended), arg_max(good, ended), arg_max(greatest(ended - began, 0), ended), max(ended) filter (where good)
        from runs group by job order by job
        """,
        PIPELINE_STEPS.name,
    )
    steps = query(
        lake,
        "select job, step, count(*), count(*) filter (where state = 'failed'), count(*) filter (where state = 'skipped') "
        "from gold_pipeline_steps group by all order by all",
        PIPELINE_STEPS.name,
    )
    # Not `job`: Prometheus files each target under a job of its own.
    of_job, of_step = ("dagster_job",), ("dagster_job", "step")
    return [
        Family("shelfcast_job_last_run_timestamp_seconds", "When the last run of the job ended.", of_job, [((j,), at) for j, at, *_ in last]),
        Family("shelfcast_job_last_run_success", "1 where all of its steps succeeded.", of_job, [((j,), good) for j, _, good, *_ in last]),
        Family("shelfcast_job_last_run_duration_seconds", "From its first step to its end.", of_job, known((r[0], r[3]) for r in last)),
        Family("shelfcast_job_last_success_timestamp_seconds", "When the last good run ended.", of_job, known((r[0], r[4]) for r in last)),
        Family("shelfcast_steps_total", "Steps that ended, on record.", of_step, [((j, s), n) for j, s, n, *_ in steps], "counter"),
        Family("shelfcast_failed_steps_total", "Steps that failed.", of_step, [((j, s), n) for j, s, _, n, _ in steps], "counter"),
        Family("shelfcast_skipped_steps_total", "Steps that a run did not come to.", of_step, [((j, s), n) for j, s, *_, n in steps], "counter"),
    ]


def _lineage(lake: Lake) -> list[Family]:
    outbox = Outbox(lake)
    return [
        Family("shelfcast_lineage_waiting_runs", "Runs whose OpenLineage events no receiver has taken yet.", (), [((), len(outbox.waiting()))]),
        Family("shelfcast_lineage_refused_runs", "Runs with events that a receiver refused.", (), [((), len(outbox.laid_aside()))]),
    ]


_FILES = ("landing", FILE, PROVIDER_FOLDER)
OPERATIONS = (
    Collector("data", (DATASET_VERSIONS.name, DATASET_EVENTS.name), _data),
    Collector("landing", (STORES.name, LANDING_FILES.name, CONDITIONED_SLICES.name, CONDITIONED_REFERENCES.name), _landing, _FILES),
    Collector("runs", (PIPELINE_STEPS.name,), _runs),
    Collector("lineage", (), _lineage, (OUTBOX,)),
)
