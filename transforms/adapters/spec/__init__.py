"""A provider in one YAML: which files it drops, in which format, and how their columns map onto the standard contracts.

What a provider file may say is defined here; turning it into SQL is the work of `transforms.adapters`' other modules.
"""

from transforms.adapters.spec.columns import ColumnSpec
from transforms.adapters.spec.files import HOW_FETCHED, FileSpec, Lookup
from transforms.adapters.spec.layout import WORKBOOKS
from transforms.adapters.spec.paths import named_by_path, path_values
from transforms.adapters.spec.provider import BUILT_IN, ProviderSpec, built_in_providers, load_provider
from transforms.adapters.spec.rows import RowFilter, RowsEnd

__all__ = [
    "BUILT_IN",
    "HOW_FETCHED",
    "WORKBOOKS",
    "ColumnSpec",
    "FileSpec",
    "Lookup",
    "ProviderSpec",
    "RowFilter",
    "RowsEnd",
    "built_in_providers",
    "load_provider",
    "named_by_path",
    "path_values",
]
