"""One look at landing: the files that stand there, what is on record of them, and what counts with what the look has found so far."""

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

import pyarrow as pa

from transforms.adapters import ProviderSpec, References
from transforms.contracts.bronze import SHIPMENTS
from transforms.lake.database import open_database
from transforms.lake.tables import Lake
from transforms.landing.files import Identity, LandingFile
from transforms.landing.ledger import HISTORIED, FileRecord, accepted_last, readable, reference_rows, renamed, weeks_of
from transforms.landing.mappings import Mappings
from transforms.landing.staging import Staging


@dataclass
class Look:
    """State of a look; `known` and `told` grow with each file that is read."""

    lake: Lake
    provider: ProviderSpec
    staged: Staging
    now: datetime
    files: list[LandingFile]
    known: dict[Identity, FileRecord]
    closing: Identity | None = None
    """The file after which all of its source have been read."""
    told: dict[tuple[object, ...], list[Identity]] = field(default_factory=dict)
    """Source, region and week -> versions that arrived with this look and hold rows of it."""

    def readable(self) -> list[Identity]:
        """Versions whose rows count, with what this look has found so far."""
        return readable(self.known, self.files)

    def references(self) -> References:
        """Stores and products that facts are checked against."""
        versions = [identity for identity in self.readable() if self.staged.holds(identity)]
        return References(*(reference_rows(self.lake, self.staged, source, versions) for source in HISTORIED))

    def others(self, file: LandingFile) -> list[Identity]:
        """Versions of the other files of its source whose rows count."""
        return [identity for identity in self.readable() if identity[0] == file.source and identity[1] != file.name]

    def counts_last(self, file: LandingFile, before: FileRecord) -> bool:
        """True where this version was the last of its file to be accepted, by what is on record and its own record `before`."""
        return accepted_last(self.known | {file.identity: before}).get((file.source, file.name)) == file.identity

    def counted_by_name(self, file: LandingFile, before: FileRecord | None) -> bool:
        """True for a version whose rows counted by its own name until now."""
        if before is None or before.accepted_at is None or before.status == "repeated":
            return False
        return file.identity not in renamed(self.known | {file.identity: before})

    @cached_property
    def deliveries(self) -> pa.Table:
        """Store, product and week of all deliveries on record; shipments are read before returns."""
        versions = [identity for identity in self.readable() if identity[0] == SHIPMENTS.table and self.staged.holds(identity)]
        with open_database() as connection:
            staged = self.staged.select(SHIPMENTS.table, versions)
            query = f"select distinct store_id, product_id, week from ({staged}) where units_shipped > 0 order by all"
            return connection.execute(query).to_arrow_table()

    @cached_property
    def weeks(self) -> dict[Identity, set[date]]:
        """Weeks that the versions hold rows for whose rows count."""
        return weeks_of(self.lake, self.readable())

    @cached_property
    def mappings(self) -> Mappings:
        """Hashes of the settings that files are read with, and the lookups beside them."""
        return Mappings(self.provider)
