"""Where files stand: patterns that stay inside the landing folder, what a name tells (`path`), and addresses of object stores."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator

_STORE = re.compile(r"(s3|gs|az)://[a-z0-9A-Z][a-zA-Z0-9._-]{1,62}(/[^/?#\\\x00-\x1f\x7f]+)*")


def _store_address(address: str) -> str:
    """An object store's address without the slash behind it; raise `ValueError` where it is none, without its text, in which a secret may stand."""
    address = address.removesuffix("/")
    if not _STORE.fullmatch(address) or {".", ".."} & set(address.split("/")):
        raise ValueError(
            "expected a bucket, with or without a folder in it, like s3://bucket/folder, gs://bucket/folder or az://container/folder, came another "
            "text. Keys, secrets and the server's address come from the environment"
        )
    return address


Store = Annotated[str, AfterValidator(_store_address)]
"""A bucket, with or without a folder in it."""


def inside_landing(pattern: str) -> str:
    """The pattern itself.

    Raises
    ------
    ValueError
        If it leads out of the landing folder, or is none.
    """
    parts = PurePosixPath(pattern).parts
    if not parts or pattern.startswith("/") or ".." in parts or any("**" in part and part != "**" for part in parts):
        raise ValueError(f"expected a pattern within the provider's landing folder like 'shipments/*.csv', came {pattern!r}")
    return pattern


def named_by_path(path: str) -> str:
    """Regular expression of a template like `shipments/{region}/{week}.csv`; one with named groups is returned as it is."""
    if "(?P<" in path:
        return f"^(?:{path})$"
    parts = re.split(r"\{([a-z][a-z0-9_]*)\}", path)
    return "^" + "".join(f"(?P<{part}>[^/]+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts)) + "$"


def path_names(path: str) -> list[str]:
    """Names of the parts that a template or a regular expression takes out of a file's name.

    Raises
    ------
    ValueError
        If there are none, or if it is no regular expression.
    """
    try:
        found = pc.extract_regex(pa.scalar(""), named_by_path(path))
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"expected names in braces, like 'shipments/{{region}}/{{week}}.csv', or a regular expression with named groups, came {path!r}: {error}"
        ) from error
    names = [field.name for field in found.type]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"expected one or more names in braces, each once, like 'shipments/{{region}}/{{week}}.csv', came {path!r}")
    return names


def path_values(path: str, name: str) -> Mapping[str, str] | None:
    """What a file's name tells, by the template or the regular expression `path`; None where the name is not of that form."""
    # RE2: no expression takes longer than the text is long.
    found: dict[str, str] | None = pc.extract_regex(pa.scalar(name), named_by_path(path)).as_py()
    return found
