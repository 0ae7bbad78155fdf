"""What a fetch came to, whatever it fetched from."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fetched:
    """Files that were written since their content changed, those that are as they were, and what is to be said."""

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What could not be fetched, each with the reason and what to do."""
    noticed: list[str] = field(default_factory=list)
    """What is odd and stands in nobody's way, like an object that is no longer in its store."""
