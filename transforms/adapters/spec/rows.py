"""Which rows of a file count, where they end, and how a wide table becomes rows."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.adapters.spec.parts import Name, Strict, Text
from transforms.patterns import matches

ALL_OTHERS = "all others"


class RowFilter(Strict):
    """Keep only the rows whose column says so, in each of the ways that are given; the others are skipped.

    Of each pair (`in` and `not_in`, `positive` and `negative`, the two prefixes) one takes every row that the other leaves: two mappings of a file
    lose none. Rows that cannot be told (no value, no number) go to `not_in`, `positive` and `not_starting_with`, where they are looked at.
    """

    column: Name
    starting_with: str | None = None
    not_starting_with: str | None = None
    among: tuple[Text, ...] | None = Field(default=None, alias="in", min_length=1)
    """Values of the rows that are kept."""
    not_in: tuple[Text, ...] | None = Field(default=None, min_length=1)
    """Values of the rows that are left out, like a line of totals."""
    sign: Literal["positive", "negative"] | None = None
    """Keep quantities of 0 and more, or those below 0, where one column holds deliveries and returns."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.model_fields_set <= {"column"}:
            raise ValueError("expected one of 'in', 'not_in', 'sign', 'starting_with' and 'not_starting_with', came none")
        return self


class RowsEnd(Strict):
    """Where a file's rows end: from the first row on whose column says so (totals, notes), rows are skipped."""

    column: Name
    equals: Text | None = None
    starting_with: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.equals is None) == (self.starting_with is None):
            raise ValueError("expected exactly one of 'equals' and 'starting_with'")
        return self


class Melt(Strict):
    """A wide table, with a column for each week or store, as one row for each of its cells; a cell without a value gives none."""

    columns: Text | tuple[Text, ...]
    """Names or patterns of the columns (`2024-*`), one or a list; `all others` for those that nothing else in the mapping uses."""
    without: tuple[Text, ...] = ()
    """Names or patterns of columns among them that are none, like a total."""
    name: Name
    """How the mapping names the text in the column's header."""
    value: Name
    """How the mapping names the cell."""

    @model_validator(mode="after")
    def _two_columns(self) -> Self:
        if self.name.lower() == self.value.lower():
            raise ValueError(f"expected two names for 'name' and 'value', came {self.name!r} for both")
        return self

    def chosen(self, names: Sequence[str], used: set[str]) -> list[str]:
        """Columns that become rows.

        Parameters
        ----------
        names, used
            The file's columns, and those of them that the mapping reads as they are.
        """
        if self.columns == ALL_OTHERS:
            found = [name for name in names if name not in used]
        else:
            patterns = (self.columns,) if isinstance(self.columns, str) else self.columns
            found = [name for name in names if any(matches(pattern, name) for pattern in patterns)]
        return [name for name in found if not any(matches(pattern, name) for pattern in self.without)]
