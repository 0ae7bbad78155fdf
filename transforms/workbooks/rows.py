"""Rows of a sheet as a second reader sees them. How each format is read stands in a module of its own."""

from dataclasses import dataclass, field
from xml.parsers import expat

NO_RESULT = "#FORMULA WITHOUT A VALUE!"
"""Stands in a cell whose formula no program has calculated; counts as one of the errors that programs write."""
OTHER = "#ERROR!"
"""Stands for an error that no list has."""
ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A", 0x2B: "#GETTING_DATA"}
"""Code in Excel's binary formats -> what it shows."""


class Refused(Exception):
    """The workbook cannot be taken, and why."""


@dataclass(slots=True)
class Row:
    """A row, or several that are alike.

    Attributes
    ----------
    number, times
        Of the first one, from 1, and how many there are.
    is_filled
        Whether a cell of it holds a value or an error.
    errors
        First column (from 1), number of columns, and text of errors.
    held
        Columns whose cells hold something, as bits.
    twice
        A column (from 1) for which the row has two cells.
    """

    number: int
    times: int = 1
    is_filled: bool = False
    errors: list[tuple[int, int, str]] = field(default_factory=list)
    held: int = 0
    twice: int | None = None

    def hold(self, column: int) -> None:
        """Take in that a cell holds something, be it an empty text."""
        if self.held >> column & 1:
            self.twice = column
        self.held |= 1 << column

    def tell(self, column: int, error: str, columns: int = 1) -> None:
        """Keep an error."""
        self.is_filled = True
        self.errors.append((column, columns, error))


def xml_parser() -> expat.XMLParserType:
    """Return a parser that follows no entity."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise Refused("its XML declares a document type, which programs for spreadsheets do not write. Open it, save it again, and drop it again.")

    parser.StartDoctypeDeclHandler = refuse
    return parser
