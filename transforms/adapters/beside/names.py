"""Patterns of all files that a mapping reads, its own and those beside them; which files there are is for landing to say."""

import re

from transforms.adapters.beside.calendars import calendars_of
from transforms.adapters.spec import FileSpec

_IN_BRACES = re.compile(r"\{[a-z_][a-z0-9_]*\}")


def patterns_of(spec: FileSpec) -> list[str]:
    """Patterns of all files that a mapping reads: its own, and those that stand beside them."""
    return [spec.files, *patterns_beside(spec)]


def patterns_beside(spec: FileSpec) -> list[str]:
    """Patterns of a mapping's lookups and calendars."""
    lookups = [_IN_BRACES.sub("*", spec.lookup.files)] if spec.lookup is not None else []
    return [*lookups, *calendars_of([spec])]
