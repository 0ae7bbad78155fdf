"""Numbers in words: separators as the reader's browser writes them, units always, three significant digits on tiles. Language stays English."""

import math
import re
from dataclasses import dataclass
from datetime import date, datetime

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

from transforms.calendar import Week

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_COUNT, _GROUPED, _PART = re.compile(r"\d+"), re.compile(r"\d{1,3}([.,' ]\d{3})(?:[.,' ]\d{3})*"), re.compile(r"\d+[.,]\d+")
_TIED = "\N{NO-BREAK SPACE}"
_LONGEST = 20
MISSING = "n/a"
"""In place of a number that there is none of: it was not measured, which is not 0."""


def day(value: date | Week) -> str:
    """A day or a week's Monday, like 8 Jul; with its year in January, where it begins."""
    found = value.monday if isinstance(value, Week) else value
    year = f" {found.year}" if found.month == 1 else ""
    return f"{found.day} {_MONTHS[found.month - 1]}{year}"


def dated(value: date | Week) -> str:
    """The same with its year, wherever the year is not clear."""
    found = value.monday if isinstance(value, Week) else value
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"


def moment(value: datetime) -> str:
    """A time, in UTC as all that is on record."""
    return f"{dated(value.date())}, {value:%H:%M} UTC"


def units_typed(text: str) -> float | None:
    """The number of units that somebody typed: 1,200 and 1.200 are twelve hundred wherever they live; None where it is no clear number.

    Units are whole: three digits behind a separator are a group, fewer are a part, like in 1.5.
    """
    found = " ".join(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split()).removeprefix("+")
    sign = -1 if found.startswith(("-", "\N{MINUS SIGN}")) else 1
    found = found.lstrip("-\N{MINUS SIGN} ")
    if len(found) > _LONGEST:
        return None
    if _COUNT.fullmatch(found):
        return sign * float(found)
    if (grouped := _GROUPED.fullmatch(found)) and len(set(re.findall(r"[.,' ]", found))) == 1:
        return sign * float(found.replace(grouped[1][0], ""))
    return sign * float(found.replace(",", ".")) if _PART.fullmatch(found) else None


@dataclass(frozen=True)
class Numbers:
    """Writes numbers as one reader expects them.

    Parameters
    ----------
    language
        The browser's, like de-DE; one that is not known counts as en-US.
    """

    language: str = "en-US"

    @property
    def locale(self) -> Locale:
        """The locale whose separators are used."""
        try:
            return Locale.parse(self.language, sep="-")
        except (UnknownLocaleError, ValueError):
            return Locale("en", "US")

    def whole(self, value: float | None) -> str:
        """1,234."""
        return MISSING if _absent(value) else self._written(round(value or 0), "#,##0")

    def places(self, value: float | None, places: int = 1) -> str:
        """1,234.5: where the digits behind the point matter."""
        return MISSING if _absent(value) else self._written(value or 0.0, f"#,##0.{'0' * places}")

    def three(self, value: float | None) -> str:
        """Three significant digits: 41,200; 8.31; 0.0462."""
        if _absent(value) or value is None:
            return MISSING
        if value == 0:
            return self._written(0, "0")
        digits = 2 - math.floor(math.log10(abs(value)))
        rounded = round(value, digits)
        # Rounding 999.6 makes a digit more.
        digits = 2 - math.floor(math.log10(abs(rounded)))
        return self._written(rounded, "#,##0" if digits <= 0 else f"#,##0.{'0' * digits}")

    def units(self, value: float | None) -> str:
        """Units of one series: 24; 1,234; 2.4 where a tenth matters."""
        if _absent(value) or value is None:
            return MISSING
        tenth = round(value, 1)
        return self.whole(value) if abs(value) >= 10 or tenth == round(tenth) else self.places(value)

    def signed_units(self, value: float | None) -> str:
        """A difference of one series' units: +24, -2.4, 0 where it is less than a tenth."""
        if _absent(value) or value is None:
            return MISSING
        text = self.units(abs(value))
        return text if text == self.units(0.0) else f"{'+' if value > 0 else '-'}{text}"

    def signed(self, value: float | None) -> str:
        """A difference with its sign: +380, -90."""
        if _absent(value) or value is None:
            return MISSING
        text = self.three(abs(value))
        return text if value == 0 else f"{'+' if value > 0 else '-'}{text}"

    def percent(self, value: float | None, places: int = 0) -> str:
        """A share of 1, like 24 %."""
        return MISSING if _absent(value) else f"{self._written(100 * (value or 0.0), '#,##0' if not places else '#,##0.' + '0' * places)}{_TIED}%"

    def usd(self, value: float | None) -> str:
        """USD 41,200."""
        return MISSING if _absent(value) else f"USD{_TIED}{self.three(value)}"

    def between(self, low: float | None, high: float | None) -> str:
        """12 to 36."""
        return MISSING if _absent(low) or _absent(high) else f"{self.three(low)} to {self.three(high)}"

    def _written(self, value: float, pattern: str) -> str:
        return str(format_decimal(value, format=pattern, locale=self.locale))


def _absent(value: float | None) -> bool:
    return value is None or math.isnan(value)
