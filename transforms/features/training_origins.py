"""Past origins that training rows are made from, and their horizons."""

ORIGINS_EVERY = 2
"""Weeks between origins, where horizons reach that far."""
TIMES = 2
"""Origins that speak for a target week, where as many reach it."""


def horizons_by_origin(horizons: int, weeks: int) -> dict[int, list[int]]:
    """The horizons that each past origin gives training rows for; origins are counted in weeks back from the panel's last one.

    Origins follow each other every `ORIGINS_EVERY` weeks, however far ahead forecasts reach (every week where each target would else be seen from
    fewer than `TIMES` of them): a model that sees few origins sees few states of its series. Where more than `TIMES` origins could speak for a
    target week, groups of target weeks take them in turn, so that no week counts more than others and all horizons appear.
    """
    step = ORIGINS_EVERY if horizons >= TIMES * ORIGINS_EVERY else 1
    found: dict[int, list[int]] = {weeks_back: [] for weeks_back in range(step, weeks + 1, step)}
    for target in range(weeks):
        block = target // step
        nearest = (block + 1) * step
        choices = (horizons - (nearest - target)) // step + 1
        # Each round begins one further, so that turns and blocks do not keep step and leave origins out.
        first, times = block + block // choices, min(TIMES, choices)
        for weeks_back in (nearest + (first + turn * choices // times) % choices * step for turn in range(times)):
            if weeks_back in found:
                found[weeks_back].append(weeks_back - target)
    return {weeks_back: sorted(ahead) for weeks_back, ahead in found.items() if ahead}
