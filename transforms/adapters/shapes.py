"""What a provider file says about the form of a file, before any column is mapped: format, which rows count, wide tables, what its name tells.

How columns become those of a contract is said in `spec`; the forms are turned into SQL by `shaping` and `mapping`.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

Name = Annotated[str, Field(min_length=1)]
"""A column of the provider's."""
Text = Annotated[str, Field(min_length=1)]


def _in_order(span: tuple[int, ...]) -> tuple[int, ...]:
    if span[0] < 1 or span[-1] < span[0] or span[-1] > _LONGEST:
        raise ValueError(f"expected a first and a last position from 1 to {_LONGEST:,}, like [1, 6], came {list(span)}")
    return span


_LONGEST = 1_000_000
Span = Annotated[tuple[int, ...], Field(min_length=1, max_length=2), AfterValidator(_in_order)]
"""First and last position of a field, or the first alone."""


class Strict(BaseModel):
    """A part of a provider file: keys that it does not know are told."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class Part(Strict):
    """One part of a text that holds several."""

    separator: Text
    number: int = Field(ge=-100, le=100)
    """Which part, from 1; -1 is the last."""

    @field_validator("number")
    @classmethod
    def _counted(cls, number: int) -> int:
        if number == 0:
            raise ValueError("expected 1 for the first part or -1 for the last, came 0")
        return number


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


class Lookup(Strict):
    """Files that a source's rows are joined with by a key, like the headers of invoices whose lines the source's own files hold."""

    files: Annotated[str, AfterValidator(inside_landing)]
    """Pattern relative to the provider's landing folder; names of the source's `path` in braces stand for what the file's own name tells."""
    by: dict[Name, Name] = Field(min_length=1)
    """Column of the rows -> column of the lookup that holds the same key; one name, or a list, where both are called alike."""
    columns: tuple[Name, ...] = Field(min_length=1)
    """Columns of the lookup that the mapping may read."""
    format: Literal["csv", "jsonl", "fixed", "parquet", "xlsx", "xls", "xlsb", "ods"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    fields: dict[Name, Span] | None = None
    member: Text | None = None
    sheet: Text | tuple[Text, ...] | None = None
    sheets: Text | None = None
    header: int | Literal["none"] | None = Field(default=None)
    """These keys say what they say beside the source's own `files`."""

    @field_validator("by", mode="before")
    @classmethod
    def _called_alike(cls, key: object) -> object:
        names = [key] if isinstance(key, str) else key
        return {name: name for name in names} if isinstance(names, list) and all(isinstance(name, str) for name in names) else names

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({column.lower() for column in self.columns}) < len(self.columns):
            raise ValueError(f"expected each of 'columns' once, came {list(self.columns)}")
        return self

    def layout(self) -> dict[str, object]:
        """The keys that say how a lookup file is read."""
        return self.model_dump(exclude={"files", "by", "columns"}, exclude_none=True)


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
            found = [name for name in names if any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)]
        return [name for name in found if not any(name == pattern or fnmatchcase(name, pattern) for pattern in self.without)]


ALL_OTHERS = "all others"


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
