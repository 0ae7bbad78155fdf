"""Numbers and identifiers as provider files write them, as DuckDB SQL. What does not fit the way that is declared is null, never another number."""

import re
from collections.abc import Sequence

from transforms.lake.database import literal

UNITS = {
    "tenth": "{x} / 10",
    "percent": "{x} / 100",
    "thousand": "{x} * 1000",
    "dozen": "{x} * 12",
    "fahrenheit": "({x} - 32) * 5 / 9",
    "tenth_fahrenheit": "({x} / 10 - 32) * 5 / 9",
    "inch": "{x} * 25.4",
    "hundredth_inch": "{x} * 0.254",
    "mile": "{x} * 1.609344",
    "centilitre": "{x} * 10",
    "litre": "{x} * 1000",
    "fluid_ounce": "{x} * 29.5735295625",
    # Goods that are sold by weight count in grams: whole numbers, as every quantity is.
    "kilogram": "round({x} * 1000)",
    "pound": "round({x} * 453.59237)",
    "ounce": "round({x} * 28.349523125)",
    # Cases of the product's own pack; the mapping joins products.
    "case": "{x} * product_case_pack",
}
"""Unit of a provider's numbers -> SQL of the contract's unit."""

NOTHING = ("N/A", "NULL", "NONE", "NAN", "-", "--", ".")
"""Words for no region, no place and no identifier, in capitals: read as empty."""
FAULTS = (
    *("#N/A", "#REF!", "#VALUE!", "#NAME?", "#NULL!", "#DIV/0!", "#NUM!", "#GETTING_DATA", "#SPILL!", "#CALC!", "#ERROR!"),
    "#FORMULA WITHOUT A VALUE!",
)
"""What spreadsheets write in place of a value that they could not find, and the reader for a formula that none has calculated: read as no value
either, and told."""

CERTAIN = 1 << 53
"""From this number on doubles do not tell whole numbers apart."""
_MINUS = "\u2212"
"""The minus of typography, beside the hyphen."""
_ALIKE = {" ": " \u00a0\u2009\u202f", "'": "'\u2019"}
"""Grouping as it is declared -> the signs that look like it: programs write spaces that do not break a line, people an apostrophe as they find it."""

_SEVERAL_LETTERS = dict(
    zip("ßæœþжцчшщюяєъьθφχψ", "ss ae oe th zh ts ch sh shch yu ya ye - - th ph ch ps".replace("-", "").split(" "), strict=True)
) | {"\u0445": "kh"}
"""Small letters without accents that are several in ASCII."""
_ONE_LETTER = {
    **dict(zip("øłđðħıŋ", "olddhin", strict=True)),
    **dict(zip("абвгдезийклмнопрстуфыэіґ", "abvgdeziiklmnoprstufyeig", strict=True)),
    **dict(zip("αβγδεζηικλμνξοπρσςτυω", "abgdeziiklmnxoprsstyo", strict=True)),
}


def parsed_number(text: str, decimal: str, grouping: str | None, affixes: Sequence[str], negative: str) -> str:
    """SQL of a double; null where the text is not written as declared.

    Parameters
    ----------
    decimal, grouping
        The sign before the fraction, and the one between groups of three digits; a text with groups of another length is no number, and neither is
        one like 0,500: nobody writes five hundred so.
    affixes
        Texts before or after the number that say nothing, like a currency.
    negative
        `leading` (-6), `trailing` (6-) or `parentheses` ((6)); a leading sign is understood whichever it is.
    """
    for affix in affixes:
        text = _without(text, affix)
    if negative == "parentheses":
        text = rf"regexp_replace({text}, '^\((.*)\)$', '-\1')"
    if negative == "trailing":
        text = rf"regexp_replace({text}, '^([^-+]*[0-9.,])\s*-$', '-\1')"
    between = _ALIKE.get(grouping or "", grouping)
    point, groups = _escaped(decimal), f"|[1-9][0-9]{{0,2}}({_escaped(between)}[0-9]{{3}})+" if between else ""
    pattern = f"[-+{_MINUS}]?(([0-9]+{groups})({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?"
    plain = f"translate({text}, {literal(_MINUS + (between or ''))}, '-')"
    plain = plain if decimal == "." else f"replace({plain}, {literal(decimal)}, '.')"
    return f"case when regexp_full_match({text}, {literal(pattern)}) then try_cast({plain} as double) end"


def has_hidden_fraction(text: str, decimal: str) -> str:
    """SQL of whether a text has a fraction that its double may not show: 31249999999999.999 becomes 31250000000000.

    Doubles tell all numbers of up to 15 digits apart, so that shorter texts need no second look.
    """
    return f"(length({text}) > 15 and regexp_matches({text}, {literal(_escaped(decimal) + '[0-9]*[1-9]')}))"


def _without(text: str, affix: str) -> str:
    """SQL of a text without an affix before or after it, within a sign or parentheses too; one between digits stays, so that 1$2 is not 12."""
    sign = re.escape(affix)
    head = f"regexp_replace({text}, {literal(rf'^([(+-]?)[ ]*{sign}[ ]*')}, '\\1')"
    return f"trim(regexp_replace({head}, {literal(rf'[ ]*{sign}[ ]*([)-]?)$')}, '\\1'))"


def stands_for_nothing(text: str, words: Sequence[str]) -> str:
    """SQL of whether a text is one of the words for no value, in letters of any case."""
    # A pattern takes half the time of a list that is compared with the text in capitals, and every identifier goes through here.
    return f"coalesce(regexp_full_match({text}, {literal('(?i)' + '|'.join(map(re.escape, words)))}), false)"


def key(text: str) -> str:
    """SQL of a region key made of a name in Latin, Cyrillic or Greek letters; null where it has others, which a person has to map."""
    latin = f"lower(strip_accents({text}))"
    for letter, letters in _SEVERAL_LETTERS.items():
        latin = f"replace({latin}, '{letter}', '{letters}')"
    latin = f"translate({latin}, '{''.join(_ONE_LETTER)}', '{''.join(_ONE_LETTER.values())}')"
    latin = f"case when not regexp_matches(regexp_replace({latin}, '[a-z0-9]', '', 'g'), '[\\p{{L}}\\p{{N}}]') then {latin} end"
    plain = f"case when regexp_full_match({text}, '[\\x00-\\x7F]*') then lower({text}) else {latin} end"
    return f"nullif(trim(regexp_replace({plain}, '[^a-z0-9]+', '_', 'g'), '_'), '')"


def identifier(text: str, width: int | None) -> str:
    """SQL of an identifier as text; null where digits have been lost.

    Parameters
    ----------
    text
        SQL of the provider's value as text.
    width
        Digits that the identifier has: zeros in front that a program took away come back, and of a ZIP+4 the ZIP stays.
    """
    # Numbers of 2^53 and more that are written as fractions were doubles: their last digits may have been others.
    known = f"case when regexp_full_match({text}, '[0-9]([.,][0-9]+)?[eE][+]?[0-9]+|(9[0-9]{{15}}|[0-9]{{17,}})[.]0+') then null"
    if width is None:
        return f"{known} else {text} end"
    digits = f"regexp_replace({text}, '[.]0+$', '')"
    short = f"regexp_replace({digits}, '^([0-9]{{1,{width}}})-[0-9]{{4}}$', '\\1')"
    return f"{known} when regexp_full_match({short}, '[0-9]{{1,{width}}}') then lpad({short}, {width}, '0') end"


def _escaped(sign: str) -> str:
    return f"[{sign}]" if sign != "^" else r"\^"
