"""How the table of a file is found, whatever its columns mean: pattern, format, dialect, sheet, header.

The same keys stand beside `files` of a source and of a lookup.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from transforms.adapters.formats.delimited import ENCODINGS, is_encoding
from transforms.adapters.spec.parts import Name, Strict, Text
from transforms.adapters.spec.paths import inside_landing
from transforms.yaml_files import RuleBroken

WORKBOOKS = ("xlsx", "xls", "xlsb", "ods")


def _in_order(span: tuple[int, ...]) -> tuple[int, ...]:
    if span[0] < 1 or span[-1] < span[0] or span[-1] > _LONGEST:
        raise ValueError(f"expected a first and a last position from 1 to {_LONGEST:,}, like [1, 6], came {list(span)}")
    return span


_LONGEST = 1_000_000
Span = Annotated[tuple[int, ...], Field(min_length=1, max_length=2), AfterValidator(_in_order)]
"""First and last position of a field, or the first alone."""


class Layout(Strict):
    """Files of one form."""

    files: Annotated[str, AfterValidator(inside_landing)]
    """Pattern relative to the provider's landing folder, like `shipments/*.csv`."""
    format: Literal["csv", "jsonl", "fixed", "parquet", "xlsx", "xls", "xlsb", "ods"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    """Any text encoding that Python knows: utf-8, cp1252, latin-1, ..."""
    fields: dict[Name, Span] | None = None
    """Columns of a file of fixed width: first and last position, in characters from 1, `[1, 6]`, or to the line's end, `[20]`."""
    member: Text | None = None
    """Name or pattern of the members of a ZIP archive that are the files; their names are `{member}` in the mapping."""
    sheet: Text | tuple[Text, ...] | None = None
    """Sheet of a workbook, or several of one form; where none is named, the only visible one with rows. The mapping reads its name as `{sheet}`."""
    sheets: Text | None = None
    """Pattern of sheets of the same form, like `2024-*`: all visible ones with rows that meet it."""
    header: int = Field(default=1, ge=0, le=1000)
    """Row (record) that names the columns; what stands above it is left aside. 0 or `none` for a file without names: `position` tells its columns. Of
    `format: fixed` the number of lines above the rows, 0 where none is given."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        if not is_encoding(encoding):
            raise ValueError(f"expected a text encoding like {', '.join(ENCODINGS)}, came {encoding!r}")
        return encoding

    @field_validator("delimiter")
    @classmethod
    def _readable_delimiter(cls, delimiter: str) -> str:
        if not delimiter.isascii() or delimiter in '\r\n"':
            raise ValueError(f"expected one ASCII character that is no quote and no end of a line, like ';' or \"\\t\", came {delimiter!r}")
        return delimiter

    @model_validator(mode="before")
    @classmethod
    def _fixed_width_has_no_header(cls, values: object) -> object:
        return {"header": 0, **values} if isinstance(values, dict) and values.get("format") == "fixed" else values

    @field_validator("header", mode="before")
    @classmethod
    def _no_header(cls, header: object) -> object:
        return 0 if header == "none" else header

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.sheet is not None or self.sheets is not None) and self.format not in WORKBOOKS:
            raise RuleBroken(
                f"expected a sheet of a workbook ({', '.join(WORKBOOKS)}), came 'format: {self.format}'", *_given(self, "sheets", "sheet")
            )
        if self.sheet is not None and self.sheets is not None:
            raise RuleBroken("expected one of 'sheet' (its name) and 'sheets' (a pattern of names), came both", "sheets")
        if (self.format == "fixed") != (self.fields is not None):
            raise RuleBroken(
                "expected 'fields', the positions of the columns, for 'format: fixed' and for no other", *_given(self, "fields", "format")
            )
        return self


def _given(layout: Layout, *keys: str) -> list[str]:
    """The first of some keys that a file's part of the YAML gives."""
    return [key for key in keys if getattr(layout, key) is not None][:1]
