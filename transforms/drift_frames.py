"""What a week's data are compared with: its own deliveries, and those of the same season in past years. Reads the lake; scores are models.drift's."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from transforms.calendar import Region, Week
from transforms.lake import Lake, day

NUMERIC = ("demand", "store_units", "product_units", "price", "tmin_c", "tmax_c", "precip_mm", "residual")
CATEGORICAL = ("category", "format")
SEASON_WEEKS = 4
YEARS_BACK = 3
TRAILING_WEEKS = 26
ROWS_PER_WEEK = 400
"""Rows drawn from each week: a quantile of 400 values is known to about 2 %, and pages stay small."""
_TOP_CATEGORIES = 8


@dataclass(frozen=True)
class DriftFrames:
    """A region's week beside its reference.

    Attributes
    ----------
    current, reference
        One row a delivery, the columns of NUMERIC and CATEGORICAL; columns without any value are left out.
    reference_week
        Week of each reference row, shape (rows,).
    season
        True where the reference is the same season of past years, False where it is the trailing half year.
    """

    region: Region
    week: Week
    current: pd.DataFrame
    reference: pd.DataFrame
    reference_week: npt.NDArray[np.datetime64]
    season: bool


def drift_frames(lake: Lake, region: Region, week: Week) -> DriftFrames | None:
    """Read both frames; None where the week or its past holds no deliveries. Nothing after `week` is read."""
    rows = _deliveries(lake, region, week)
    if rows.empty:
        return None
    weeks = rows["week"].to_numpy().astype("datetime64[D]")
    now = weeks == np.datetime64(week.monday)
    back = (np.datetime64(week.monday) - weeks).astype(int) // 7
    # Years are 52 weeks here: the same week last year is 52 weeks back.
    season = np.isin(back, [year * 52 + step for year in range(1, YEARS_BACK + 1) for step in range(-SEASON_WEEKS, SEASON_WEEKS + 1)])
    is_season = len(np.unique(weeks[season])) > SEASON_WEEKS
    reference = season if is_season else (back >= 1) & (back <= TRAILING_WEEKS)
    if not now.any() or not reference.any():
        return None
    rows["category"] = _top(rows["category"], reference)
    columns = [name for name in (*NUMERIC, *CATEGORICAL) if rows.loc[now, name].notna().any() and rows.loc[reference, name].notna().any()]
    return DriftFrames(
        region,
        week,
        rows.loc[now, columns].reset_index(drop=True),
        rows.loc[reference, columns].reset_index(drop=True),
        weeks[reference],
        is_season,
    )


def _deliveries(lake: Lake, region: Region, week: Week) -> pd.DataFrame:
    first = week + -(YEARS_BACK * 52 + SEASON_WEEKS)
    inside = f"region = '{region}' and week between {day(first)} and {day(week)}"
    tables = ("gold/demand", "gold/forecasts", "silver/stores", "silver/products", "silver/weather")
    with lake.connect(*tables) as connection:
        return connection.execute(
            f"""
            with demand as (
                select
                    *,
                    sum(demand) over (partition by store_id, week) as store_units,
                    sum(demand) over (partition by product_id, week) as product_units
                from gold_demand
                where {inside}
            ),

            -- The same rows on every run: drawn by the hash of their key.
            drawn as (
                select * from demand
                qualify row_number() over (partition by week order by hash(store_id, product_id, week)) <= {ROWS_PER_WEEK}
            ),

            latest as (
                select store_id, product_id, target_week, expected
                from gold_forecasts
                where region = '{region}' and target_week between {day(first)} and {day(week)} and horizon = 1
            )

            select
                d.week,
                d.demand::double as demand,
                d.store_units::double as store_units,
                d.product_units::double as product_units,
                p.price,
                w.tmin_c,
                w.tmax_c,
                w.precip_mm,
                d.demand - f.expected as residual,
                coalesce(p.category, 'unknown') as category,
                s.format
            from drawn as d
            left join (from silver_stores where valid_to is null) as s using (store_id)
            left join (from silver_products where valid_to is null) as p using (product_id)
            left join silver_weather as w on w.region = d.region and w.place = s.place and w.week = d.week
            left join latest as f on f.store_id = d.store_id and f.product_id = d.product_id and f.target_week = d.week
            order by d.week, d.store_id, d.product_id
            """
        ).df()


def _top(column: "pd.Series[str]", reference: npt.NDArray[np.bool_]) -> "pd.Series[str]":
    """Keep the categories that are frequent in the reference; the others become one."""
    frequent = column[reference].value_counts().index[:_TOP_CATEGORIES]
    return column.where(column.isin(frequent), "other")
