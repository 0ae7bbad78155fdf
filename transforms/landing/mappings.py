"""Settings that files are read with, as a hash."""

import hashlib

from transforms.adapters import ProviderSpec
from transforms.adapters.beside.calendars import calendars_of, fingerprint, landing_folder
from transforms.adapters.beside.lookups import lookups_fingerprint
from transforms.adapters.spec import HOW_FETCHED
from transforms.landing.files import LandingFile


def mapping_hash(provider: ProviderSpec, file: LandingFile) -> str:
    """Hash of the settings that a file is read with: when they change, it is looked at again."""
    settings = provider.model_dump_json(exclude={"sources", "description"}) + "".join(
        spec.model_dump_json(exclude={"counted", *HOW_FETCHED}) for spec in file.specs
    )
    top = landing_folder(file.path, file.name)
    settings += fingerprint(top, calendars_of(file.specs)) + lookups_fingerprint(file.specs, top, file.name)
    return hashlib.sha256(settings.encode()).hexdigest()[:16]
