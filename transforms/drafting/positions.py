"""Columns of a text of fixed width, by the places that are blank in every line."""

from collections.abc import Sequence


def spans_of(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of the columns: what stands between places that are blank in every line, up to the next column's beginning."""
    width = max(len(line.rstrip()) for line in lines)
    used = [False] * width
    for line in lines:
        for position, letter in enumerate(line.rstrip()):
            used[position] = used[position] or letter != " "
    edges = [position for position in range(width) if used[position] and (position == 0 or not used[position - 1])]
    ends = [next((position for position in range(start, width) if not used[position]), width) for start in edges]
    return list(zip(edges, ends, strict=True))


def aligned(lines: Sequence[str], spans: Sequence[tuple[int, int]]) -> bool:
    """Whether the values of each column begin or end at one position; words of prose do not."""
    return all(any(_sides(lines, span)) for span in spans)


def fields_of(lines: Sequence[str], spans: Sequence[tuple[int, int]]) -> list[list[int]]:
    """First and last position of each column from 1, with the blanks that longer values would take; the last one reaches to the line's end."""
    fields = []
    for number, (start, end) in enumerate(spans):
        left, _ = _sides(lines, (start, end))
        first = start if left else (spans[number - 1][1] + 1 if number else 0)
        last = spans[number + 1][0] - 1 if left and number + 1 < len(spans) and _sides(lines, spans[number + 1])[0] else end
        fields.append([first + 1, last] if number + 1 < len(spans) else [first + 1])
    return fields


def _sides(lines: Sequence[str], span: tuple[int, int]) -> tuple[bool, bool]:
    """Whether all values of a column begin at one position, and whether all end at one."""
    cells = [line[slice(*span)] for line in lines if line[slice(*span)].strip()]
    return len({len(cell) - len(cell.lstrip()) for cell in cells}) == 1, len({len(cell.rstrip()) for cell in cells}) == 1
