"""Texts in files that spreadsheet programs open: a text that begins like a formula is one to them, and formulas run commands and send cells away.

Numbers are no texts: a negative one stays as it is. Parquet and Excel files say what is a text themselves and need none of this.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from transforms.lake.database import literal, quoted

FORMULA = r"^[=+\-@\t\r\n\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"
"""What a cell begins with that is not taken for a text (RE2), as OWASP lists it under CSV injection, with the full-width signs."""
_LONGEST_TEXT = 32_767
_AS_TEXT = r"'\0"


_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def cell_text(text: str) -> str:
    """A text as a cell of a workbook can hold it: a sign stands for what XML has no room for, and what is beyond a cell's limit is cut."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)[:_LONGEST_TEXT]


def inert(rows: pa.Table) -> pa.Table:
    """Put an apostrophe before each text that begins like a formula."""
    for index, (name, kind) in enumerate(zip(rows.column_names, rows.schema.types, strict=True)):
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            rows = rows.set_column(index, name, pc.replace_substring_regex(rows[name], FORMULA, _AS_TEXT))
    return rows


def inert_sql(name: str) -> str:
    """The same as an item of a DuckDB select, for a column of texts."""
    return f"regexp_replace({quoted(name)}, {literal(FORMULA)}, {literal(_AS_TEXT)}) as {quoted(name)}"
