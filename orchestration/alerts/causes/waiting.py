"""What waits for a person: files that were refused or held, data to approve, models to validate."""

from collections import defaultdict

from orchestration.alerts.alert import Alert, Item
from transforms.adapters import ProviderSpec
from transforms.calendar import Region
from transforms.contracts.life_cycle import DATASET_VERSIONS, MODEL_VERSIONS
from transforms.lake.tables import Lake
from transforms.landing import refused_files
from transforms.records.dataset_versions import latest_versions
from transforms.records.model_registry import END_OF_TIME, WAITING, latest_trained


def files_refused(lake: Lake, provider: ProviderSpec) -> list[Alert]:
    """Files that stand in landing and are refused or held: one cause for each source, since one fault of a sender spoils all of its files."""
    found: dict[str, list[Item]] = defaultdict(list)
    for refused in refused_files(lake, provider):
        found[refused.source].append(Item(refused.source_file, refused.message or "no reason is on record"))
    advice = "Correct the file and drop it again; the next run reads it. What had been taken in before stays: shelfcast status"
    return [Alert("file_refused", source, f"Files of {source} refused", tuple(items), advice) for source, items in found.items()]


def data_waiting(lake: Lake) -> list[Alert]:
    """Regions whose present data wait for approval: they are neither trained on nor forecast from meanwhile."""
    items = [
        Item(str(data.region), f"{data.region}: data to the week of {data.last_week}, {data.reason}", (str(data.region),))
        for data in latest_versions(lake)
        if data.status == "awaiting approval"
    ]
    advice = "Look and decide on the page, or: shelfcast data diff --region REGION, then shelfcast data approve --region REGION --by NAME --why WHY"
    return [Alert("data_waiting", "", "New data wait for approval", tuple(items), advice)] if items else []


def models_waiting(lake: Lake) -> list[Alert]:
    """Models that passed validation and wait for a person: by segment, however often it is trained anew meanwhile."""
    if not lake.exists(MODEL_VERSIONS.name):
        return []
    names = lake.read(MODEL_VERSIONS.name, columns="distinct region")["region"].to_pylist()
    items = [
        Item(f"{name}/{row['format']}/{row['mover']}", f"{name} {row['format']} {row['mover']}: {row['model_version']}", (name,))
        for name in sorted(names)
        for row in latest_trained(lake, Region(name), END_OF_TIME)
        if row["state"] == WAITING and row["numbers"] is not None
    ]
    advice = "Look and decide on the page, or: shelfcast models approve VERSION --by NAME --why WHY"
    return [Alert("model_waiting", "", "Models wait for approval", tuple(items), advice, "/pages/training")] if items else []


def regions_waiting(lake: Lake) -> set[str]:
    """Regions that are not forecast because their data wait."""
    if not lake.exists(DATASET_VERSIONS.name):
        return set()
    return {str(data.region) for data in latest_versions(lake) if data.status == "awaiting approval"}
