"""The checks before a release: what was validated where it comes from, and whether the lake that takes it is in order. Nothing is changed by them."""

from collections.abc import Iterable, Iterator, Sequence

from orchestration.project import Project
from orchestration.reports.audit import verification
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake
from transforms.landing import last_week, regions
from transforms.records.data_checks import Check
from transforms.records.dataset_versions import latest_versions
from transforms.rows import Row


def check_release(
    source: Lake, target: Lake, there: Project, champions: Sequence[Row], code: str, commit: str, against: Sequence[str]
) -> list[Check]:
    """Check a release.

    Parameters
    ----------
    there
        Settings that hold in the target.
    champions
        Of the source, in the regions that the release is for.
    code, commit
        Digits of the training code that is released, and its Git commit.
    against
        What speaks against the models that were asked for.
    """
    return [
        _committed(commit),
        _validated(champions, code),
        _policy(there),
        _intact("record of the source", source),
        _intact("record of the target", target),
        _counted("schema", "columns that this code does not know: the target was written by a newer one", _unknown_columns(target)),
        _counted("data of the target", "", _behind(source, target)),
        _counted("open decisions", "", _open(target)),
        _counted("models", "", against),
    ]


def _committed(commit: str) -> Check:
    """What is not committed cannot be had again."""
    dirty = commit.endswith("-dirty")
    return Check("code", not dirty, float(dirty), 0, f"{commit}: commit the files that differ first" if dirty else f"commit {commit}")


def _validated(champions: Sequence[Row], code: str) -> Check:
    """The source has gone through training and gate with the code that is released."""
    if not champions:
        return Check("validated", False, 0, 1, "the source has no champions in these regions: run its weekly cycle first ('shelfcast run')")
    old = [row["model_version"] for row in champions if row["code_version"].split("-")[0] != code]
    if old:
        detail = (
            f"{len(old)} of {len(champions)} champions are of other training code, like {old[0]}: run the source's weekly cycle with this one first"
        )
        return Check("validated", False, len(old), 0, detail)
    return Check("validated", True, 0, 0, f"{len(champions)} champions passed the source's gate with training code {code}")


def _policy(there: Project) -> Check:
    detail = f"promotion: {there.promotion}, target MAPE {there.gate.max_mape:g}"
    advice = ": its gate lets everything pass, so 'promotion: manual' or limits in 'gate' are needed"
    return Check("promotion policy", there.is_guarded, float(not there.is_guarded), 0, detail if there.is_guarded else detail + advice)


def _intact(name: str, lake: Lake) -> Check:
    findings = verification(lake).findings
    return Check(name, not findings, len(findings), 0, findings[0] if findings else "hash chains, artifacts and data are as they were written")


def _counted(name: str, what: str, found: Iterable[str]) -> Check:
    listed = list(found)
    detail = "; ".join(filter(None, [what, *listed[:3], f"and {len(listed) - 3} more" if len(listed) > 3 else ""])) if listed else "nothing"
    return Check(name, not listed, len(listed), 0, detail)


def _unknown_columns(lake: Lake) -> Iterator[str]:
    for name, contract in CONTRACTS.items():
        if unknown := sorted(lake.stored_columns(name).keys() - {*contract.names}):
            yield f"{name}: {', '.join(unknown)}"


def _behind(source: Lake, target: Lake) -> Iterator[str]:
    """The target has nothing that the source's models could be of use for, or less than they were validated on."""
    ours, theirs = last_week(source), last_week(target)
    if theirs is None:
        yield "it holds no data yet: take in its landing files first ('shelfcast init')"
    elif ours is not None and theirs < ours:
        yield f"it ends with {theirs}, and the source has data up to {ours}: let it take them in first ('shelfcast run')"
    elif missing := sorted({*map(str, regions(source))} - {*map(str, regions(target))}):
        yield f"it lacks the regions {', '.join(missing)}"


def _open(target: Lake) -> Iterator[str]:
    """Data that wait for a person: what is decided on them may change what models are judged on."""
    for dataset in latest_versions(target):
        if dataset.status == "awaiting approval":
            yield f"{dataset.version} of {dataset.region} waits for approval: 'shelfcast data approve' or 'reject' it first"
