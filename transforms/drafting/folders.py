"""Folders that are looked at: a place that is none is told before anything is read."""

import re
from pathlib import Path

from transforms.errors import ConfigurationError

_STORE = re.compile(r"[a-z0-9]{2,}:/+\S")


def refuse_no_folder(folder: Path, message: str) -> None:
    """Raise `ConfigurationError` with a message where there is no such folder, or another one where it is the address of an object store."""
    if _STORE.match(str(folder)):
        raise ConfigurationError(
            f"Expected a folder with files of the provider, came the object store {str(folder).replace(':/', '://', 1)}. Copy a few objects of "
            "each kind into a folder, with the folders that they stand in, and name that; the store is named under 'store' in the provider YAML."
        )
    if not folder.is_dir():
        raise ConfigurationError(message)
