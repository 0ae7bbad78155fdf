"""Settings that files are read with, as hashes: when they change, a file is looked at again."""

import hashlib
from pathlib import Path

from transforms.adapters import ProviderSpec
from transforms.adapters.beside.calendars import calendars_of, fingerprint, landing_folder
from transforms.adapters.beside.lookups import Lookups
from transforms.adapters.spec import HOW_FETCHED
from transforms.landing.files import Identity, LandingFile


class Mappings:
    """Hashes of one look at landing: each is reckoned once, before its file is read, so that what changes meanwhile is seen at the next look."""

    def __init__(self, provider: ProviderSpec) -> None:
        self.lookups = Lookups()
        self._provider = provider.model_dump_json(exclude={"sources", "description", *HOW_FETCHED})
        self._found: dict[Identity, str] = {}
        self._calendars: dict[tuple[Path, ...], str] = {}

    def of(self, file: LandingFile) -> str:
        """Hash of the settings that a file is read with, and of the calendars and lookups beside it."""
        if file.identity not in self._found:
            self._found[file.identity] = self._hash(file)
        return self._found[file.identity]

    def _hash(self, file: LandingFile) -> str:
        top = landing_folder(file.path, file.name)
        settings = self._provider + "".join(spec.model_dump_json(exclude={"counted", *HOW_FETCHED}) for spec in file.specs)
        settings += self._calendar(top, calendars_of(file.specs)) + self.lookups.fingerprint(file.specs, top, file.name)
        return hashlib.sha256(settings.encode()).hexdigest()[:16]

    def _calendar(self, top: Path, calendars: list[str]) -> str:
        paths = tuple(top / calendar for calendar in calendars)
        if paths not in self._calendars:
            self._calendars[paths] = fingerprint(top, calendars)
        return self._calendars[paths]
