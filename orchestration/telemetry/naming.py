"""Names in OpenLineage events: of datasets as the standard's naming wants them, of runs, and of who makes the events."""

from importlib.metadata import version
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

from orchestration.telemetry.told import RunTold
from transforms.contracts import CONTRACTS


def producer() -> str:
    """Who makes the events: this version of the product."""
    return f"urn:shelfcast:{version('shelfcast')}"


def dataset_name(root: str, asset: str, namespace: str) -> tuple[str, str]:
    """Namespace and name of an asset as a dataset; `root` is the lake's, a folder (absolute) or an address, `namespace` that of jobs."""
    if asset not in CONTRACTS:
        return namespace, asset
    place = f"{root.rstrip('/')}/lake/{asset}"
    if "://" not in place:
        return "file", place
    parts = urlsplit(place)
    return f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/")


def run_id_of(told: RunTold, part: str = "") -> str:
    """The id of a run, or of a part of it: the same whenever its events are made, so that repeating one changes nothing."""
    try:
        whole = UUID(told.run_id)
    except ValueError:
        whole = uuid5(NAMESPACE_URL, as_unicode(f"urn:shelfcast:run:{told.run_id}"))
    return str(uuid5(whole, as_unicode(part)) if part else whole)


def as_unicode(text: str) -> str:
    """A text without what databases behind receivers refuse: NUL, and halves of characters that stand for bytes of a file's name."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
