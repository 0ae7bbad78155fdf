"""A lake's object store, opened once in a process; and what it cannot do as the sentence of a user's error."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from transforms.errors import ConfigurationError
from transforms.stores.objects import ObjectNotTaken, ObjectStore, StoreUnreachable, opened

SECONDS = 600
"""How long one object may take."""


def store_at(root: str, options: Mapping[str, str]) -> ObjectStore:
    """The object store of a lake root; raise `ConfigurationError` where its settings cannot be right."""
    with told(root):
        return _opened(root.rstrip("/"), tuple(sorted(options.items())))


@lru_cache(maxsize=4)
def _opened(root: str, options: tuple[tuple[str, str], ...]) -> ObjectStore:
    held = dict(options)
    return opened(root, lambda name: held.get(name, ""), SECONDS, "--root or SHELFCAST_ROOT", "Run the command again")


@contextmanager
def told(root: str) -> Iterator[None]:
    """Turn what a store cannot do into the sentence of a user's error."""
    try:
        yield
    except (StoreUnreachable, ObjectNotTaken) as problem:
        raise ConfigurationError(f"{root}: {problem}") from None
