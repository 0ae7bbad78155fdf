"""Looking at what was dropped: each new version of a file is parsed and validated once. What becomes of one file stands in `registrar`."""

from collections.abc import Container
from datetime import datetime, timedelta

from transforms.adapters import ProviderSpec, References
from transforms.lake.lease import alone
from transforms.lake.remote.working_copy import push, remove
from transforms.lake.tables import Lake
from transforms.landing.files import FACTS, REFERENCES, Identity, LandingFile, Progress, scan, still_written
from transforms.landing.ledger import (
    HISTORIED,
    FileRecord,
    accepted_last,
    records,
    repeated,
    staging,
)
from transforms.landing.look import Look
from transforms.landing.odd_files import WRITTEN
from transforms.landing.registrar import Registrar, Registration


def register(lake: Lake, provider: ProviderSpec, now: datetime, progress: Progress | None = None, quiet: float = 0) -> Registration:
    """Parse, validate and put on record every version of a file that is not on record yet.

    Facts are looked at again when what they are checked against changed: refused files and those with rows in quarantine when stores or products were
    added, all files when a store or product that was known changed its region, its weather place, or went away. A version that was accepted and is
    refused when it is looked at again goes on counting with the rows of then.

    Parameters
    ----------
    now
        Time that is recorded as the arrival of what is new.
    progress
        Told of each file before it is read.
    quiet
        Seconds for which a file that is not on record has to stay as it is: one that is still being written is left to a later look.
    """
    staged = staging(lake, provider)
    # One look at a time: a second process waits, and then finds the files on record.
    with alone(staged.folder / ".lock"):
        known = records(lake)
        # The latest look counts, so looks have to follow each other even where the clock was set back.
        now = max([now, *(record.looked_at + timedelta(microseconds=1) for record in known.values())])
        files = scan(lake, provider)
        growing = still_written([file for file in files if file.identity not in known], quiet)
        # What was dropped into the working copy of a store belongs into the store: what is on record is there.
        if not lake.borrows_landing:
            push(lake, *{file.path for file in files if file not in growing})
        look = Look(lake, provider, staged, now, [file for file in files if file not in growing], known)
        registrar = Registrar(look, progress or (lambda _: None))
        for file in growing:
            registrar.leave(file, f"{file.name}: {WRITTEN}")
        before = look.references()
        copies = repeated(look.known, look.files)
        latest = {identity[:2]: identity for identity in look.known}
        on_record = {identity for identity in latest.values() if look.known[identity].status == "repeated"}
        for file in look.files:
            if file.identity in copies and file.identity not in on_record:
                registrar.repeats(file, copies[file.identity])
        new = _new(look, copies)
        for source in REFERENCES:
            files = [file for file in new if file.source == source]
            if source not in HISTORIED:
                files += _matched_otherwise(look, source, before, {*copies, *(file.identity for file in files)})
            look.closing = files[-1].identity if files else None
            for file in files:
                registrar.at(file, None)
        references = look.references()
        facts_before, facts_after = _facts_of(before), _facts_of(references)
        again = _again(look, facts_before, facts_after)
        if _places(references) - _places(before):
            # Their weather was left aside while they served no store.
            again += [file for file in look.files if file.source.startswith("weather") and file.identity in look.known and file not in again]
        unread = {file.identity for file in new} | copies.keys()
        facts = [*(file for file in again if file.identity not in unread), *(file for file in new if file.source in FACTS)]
        # Facts cannot be checked before there are stores: they stay off the record and are looked at once there are.
        for file in sorted(facts, key=lambda file: FACTS.index(file.source)) if references.stores.num_rows else []:
            registrar.at(file, references)
        registrar.when_back([identity for identity, record in look.known.items() if _read_otherwise(record, facts_before, facts_after)])
        push(lake, staged.folder)
        registrar.write()
        # What does not count beside a copy of its content may have to count again.
        remove(lake, staged.others_than(accepted_last(look.known).values()))
    return registrar.result


def _new(look: Look, copies: Container[Identity]) -> list[LandingFile]:
    """Files to be read: not on record, read with other settings, without a copy of their rows, back in a version that others had replaced, or no
    longer a copy of another file.
    """
    last = accepted_last(look.known)

    def is_new(file: LandingFile) -> bool:
        record = look.known.get(file.identity)
        if file.identity in copies:
            return False
        if record is None or record.status == "repeated" or record.counted != file.counted or record.mapping != look.mappings.of(file):
            return True
        return record.status == "accepted" and (last.get((file.source, file.name)) != file.identity or not look.staged.holds(file.identity))

    found = [file for file in look.files if is_new(file)]
    # What was held may say something of its own once other files say something else; it is read after them.
    sources, waiting = {file.source for file in found}, {identity for identity, record in look.known.items() if record.status == "held"}
    held = [file for file in look.files if file.source in sources and file.identity in waiting]
    return [*(file for file in found if file.identity not in waiting), *held]


def _again(look: Look, before: set[tuple[str, ...]], after: set[tuple[str, ...]]) -> list[LandingFile]:
    """Fact files on record that have to be looked at again because of other stores or products."""
    facts = [file for file in look.files if file.source in FACTS and file.identity in look.known]
    return [file for file in facts if _read_otherwise(look.known[file.identity], before, after)]


def _read_otherwise(record: FileRecord, before: set[tuple[str, ...]], after: set[tuple[str, ...]]) -> bool:
    """True where a version of facts may be read otherwise with other stores or products."""
    return bool(before - after) or (before != after and (record.status == "refused" or record.quarantined > 0))


def _places(references: References) -> set[str]:
    return {*references.stores["place"].drop_null().to_pylist()}


def _matched_otherwise(look: Look, source: str, before: References, known: Container[Identity]) -> list[LandingFile]:
    """Files of a reference source that name what the lists hold no longer, or of which something was told that they may hold now."""
    lists = [_listed(before), _listed(look.references())]
    return [
        file
        for file in look.files
        if file.source == source and file.identity not in known and (record := look.known.get(file.identity)) is not None
        if lists[0] - lists[1] or (lists[0] != lists[1] and record.message)
    ]


def _listed(references: References) -> set[tuple[str | None, ...]]:
    """What events and demographics are compared with."""
    stores = (references.stores[name].to_pylist() for name in ("store_id", "region", "zip"))
    return {*zip(*stores, strict=True), *((product,) for product in references.products["product_id"].to_pylist())}


def _facts_of(references: References) -> set[tuple[str, ...]]:
    """Values that the reading of facts depends on: each store's region and weather place, and the products."""
    stores = (references.stores[name].to_pylist() for name in ("store_id", "region", "place"))
    return {*zip(*stores, strict=True), *((product,) for product in references.products["product_id"].to_pylist())}
