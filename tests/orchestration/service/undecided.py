"""What waits for a person in a lake that tests made: a model that passed validation, and data of which a check failed."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from transforms.contracts.life_cycle import DATASET_VERSIONS
from transforms.lake.tables import Lake
from transforms.records.data_checks import Check
from transforms.records.dataset_versions import decide as decide_on_data
from transforms.records.dataset_versions import latest_versions
from transforms.records.model_registry import WAITING, DeltaRegistry, ModelEvent, ModelVersion

_CHECKS = json.dumps([asdict(Check("data", True, 0.0, 0, "approved")), asdict(Check("bias against champion", True, -0.12, 0.05, "1.2 against 3.8"))])


def waiting_model(lake: Lake, suffix: str, **changed: Any) -> str:
    """Put a second model of a segment on record, made as the one that serves was, which waits for a person; return its name."""
    row = lake.read("gold/model_versions", where="kind = 'ensemble'").sort_by("model_version").slice(0, 1).to_pylist()[0]
    name = f"{row['model_version']}-{suffix}"
    made = ModelVersion(**{**row, "model_version": name, "trained_at": datetime.now(UTC), **changed})
    segment = (made.region, made.format, made.mover, datetime.now(UTC), made.trained_week)
    DeltaRegistry(lake).record([made], [ModelEvent(name, *segment, WAITING, "gate, run 79d2da0b-c3cd", "passed", numbers=_CHECKS)])
    return name


def waiting_data(lake: Lake) -> str:
    """Put a newer version of a region's data on record, of which too many rows are in quarantine; return its name."""
    latest = latest_versions(lake)[0]
    failed = Check("share in quarantine", False, 0.21, 0.05, "21% of the rows of shipments.csv")
    name = f"{latest.region}-{datetime.now(UTC):%H%M%S%f}"
    found = replace(
        latest, version=name, checks=[failed, *(check for check in latest.checks if check.name != failed.name)], recorded_at=datetime.now(UTC)
    )
    row = {
        "region": str(found.region),
        "dataset_version": name,
        "last_week": found.last_week.monday,
        "rows": found.rows,
        "delta_versions": json.dumps(found.delta_versions),
        "checks": json.dumps([asdict(check) for check in found.checks]),
        "run_id": "run",
        "recorded_at": found.recorded_at,
    }
    lake.append(DATASET_VERSIONS.name, pa.Table.from_pylist([row], schema=DATASET_VERSIONS.schema))
    decide_on_data(lake, found, "awaiting approval", "checks, run 79d2da0b-c3cd", str(failed), datetime.now(UTC))
    return name
