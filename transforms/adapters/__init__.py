"""Source adapters: each provider's files onto the standard contracts, by one YAML for each provider.

Which files there are, and what was taken in, is for landing to know.
"""

from transforms.adapters.beside.lookups import Lookups
from transforms.adapters.reader import DAYS, FileRows, References, RefusedWhole, RowCounts, read_file
from transforms.adapters.spec import FileSpec, ProviderSpec, built_in_providers, load_provider

__all__ = [
    "DAYS",
    "FileRows",
    "FileSpec",
    "Lookups",
    "ProviderSpec",
    "References",
    "RefusedWhole",
    "RowCounts",
    "built_in_providers",
    "load_provider",
    "read_file",
]
