"""Features of every series that is alive at an origin, made from a panel that ends there.

There is one feature function, used for scoring (the panel at the origin) and for training (panels that end at earlier origins, with the demand that
followed beside them). So a training row cannot know more than the forecast that it stands for did.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from transforms.features.frame import Bools, Frame
from transforms.features.recency import last_deliveries, of_rhythm, of_sizes
from transforms.features.structural_model import ANCHOR, Effects, Levels
from transforms.features.training_origins import horizons_by_origin
from transforms.panel.events import holiday_days, promotion_days
from transforms.panel.panel import Coded, Codes, Floats, Panel
from transforms.panel.unconstrained_demand import estimated_demand

ALIVE_WEEKS = 52
"""A series is alive while a delivery lies in the last year."""
WINDOWS = (4, 8, 13, 26, 52)


class OriginFeatures:
    """Everything that is known of a region's series at the end of a panel.

    Parameters
    ----------
    panel
        History up to the origin (its last week) and nothing later.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        demand = estimated_demand(panel)
        self.alive = np.flatnonzero(demand[:, -ALIVE_WEEKS:].any(axis=1))
        self.demand = demand[self.alive]
        self.store, self.product = panel.store[self.alive], panel.product[self.alive]
        self.large = (panel.store_text["format"].levels == "large")[panel.store_text["format"].codes][self.store]
        self.case_pack = panel.product_number["case_pack"][self.product].astype(np.float32)
        self.levels = Levels(panel, self.demand, self.store, self.product, self.case_pack)
        self.fast = _fast(self.demand, self.product, self.large, len(panel.products))
        self._levels(demand)

    def _levels(self, everything: Floats) -> None:
        demand, weeks = self.demand, self.panel.weeks
        nonzero = demand > 0
        age = np.maximum(weeks - nonzero.argmax(axis=1), 1).astype(np.float32)
        units, hits = demand.sum(axis=1), nonzero.sum(axis=1).astype(np.float32)
        self.rate, self.baseline, self.baseline_size = hits / age, units / age, units / np.maximum(hits, 1)
        self.recent, ages = last_deliveries(demand)
        self.since = ages[:, 0]
        features: dict[str, Floats] = {"log_age": np.log1p(age), "rate_life": self.rate, "log_mean_life": np.log1p(self.baseline)}
        features["log_size_life"] = np.log(np.maximum(self.baseline_size, 1e-3))
        for window in WINDOWS:
            part, hit = demand[:, -window:].sum(axis=1), nonzero[:, -window:].sum(axis=1)
            lived = np.minimum(age, window)
            features[f"rate_{window}"] = hit / lived
            features[f"log_mean_{window}"] = np.log1p(part / lived)
            features[f"log_size_{window}"] = np.where(hit > 0, np.log(np.maximum(part, 1e-3) / np.maximum(hit, 1)), features["log_size_life"])
        features |= of_sizes(self.recent) | of_rhythm(ages)
        features |= self._groups(demand, nonzero)
        features |= {"level_slope": self.levels.slope, "level_weeks": np.log1p(self.levels.weeks), "store_shift": self.levels.shift}
        features |= self._attributes()
        self.base = np.column_stack([values.astype(np.float32) for values in features.values()])
        self.base_names = tuple(features)
        self.gap = age / np.maximum(hits, 1)
        category = self.panel.product_text["category"]
        self._category = category.codes[self.panel.product]
        self._category_units = _by_group(everything, self._category, len(category.levels))

    def _groups(self, demand: Floats, nonzero: Bools) -> dict[str, Floats]:
        """Levels of the product over all stores, and of the store over all products."""
        result = {}
        for name, codes, n in (("product", self.product, len(self.panel.products)), ("store", self.store, len(self.panel.stores))):
            count = np.maximum(np.bincount(codes, minlength=n), 1)
            for window in (4, 26):
                units = np.bincount(codes, demand[:, -window:].sum(axis=1), n)
                hits = np.bincount(codes, nonzero[:, -window:].sum(axis=1), n)
                result[f"{name}_log_size_{window}"] = np.log(np.maximum(units / np.maximum(hits, 1), 0.1))[codes]
                result[f"{name}_rate_{window}"] = (hits / count / window)[codes]
            result[f"{name}_series"] = np.log(count)[codes]
        return result

    def _attributes(self) -> dict[str, Floats]:
        numbers = self.panel.product_number
        result = {f"log_{name}": np.log1p(numbers[name])[self.product] for name in ("price", "size_ml", "case_pack")}
        for name, values in self.panel.store_number.items():
            result[f"log_{name}"] = np.log1p(values)[self.store]
        return result

    def frame(self, horizons: Sequence[int], keep: Sequence[npt.NDArray[np.integer]] | None = None) -> Frame:
        """Rows of the series alive, for each of `horizons`.

        Parameters
        ----------
        keep
            For each horizon the positions (among the series alive) to make rows for; all where None.
        """
        chosen = keep if keep is not None else [np.arange(len(self.alive))] * len(horizons)
        numeric = [self._ahead(horizon, rows) for horizon, rows in zip(horizons, chosen, strict=True)]
        rows = np.concatenate(chosen)
        ahead = np.repeat(np.asarray(horizons, np.int32), [len(part) for part in chosen])
        return Frame(
            numeric=np.hstack([self.base[rows], np.vstack(numeric)]),
            names=(*self.base_names, *AHEAD),
            categorical=self._categories(rows, ahead),
            series=self.alive[rows].astype(np.int32),
            horizon=ahead,
            recent=self.recent[rows],
            rate=self.rate[rows],
            baseline=self.baseline[rows],
            baseline_size=self.baseline_size[rows],
            case_pack=self.case_pack[rows],
            fast=self.fast[rows],
            large=self.large[rows],
            weight=np.ones(len(rows), np.float32),
        )

    def _ahead(self, horizon: int, rows: npt.NDArray[np.integer]) -> Floats:
        """Features that depend on the target week, in the order of `AHEAD`."""
        panel, target = self.panel, self.panel.last + horizon
        waiting = self.since[rows] + horizon
        angle = 2 * np.pi * target.monday.timetuple().tm_yday / 365.25
        same_size, same_rate = self._last_year(horizon, rows)
        place, step = panel.place[self.store[rows]], min(horizon, 13) - 1
        columns = [
            np.log1p(waiting),
            waiting / self.gap[rows],
            np.full(len(rows), horizon),
            np.full(len(rows), np.sin(angle)),
            np.full(len(rows), np.cos(angle)),
            np.full(len(rows), np.sin(2 * angle)),
            np.full(len(rows), np.cos(2 * angle)),
            same_size,
            same_rate,
            self._season(horizon)[self._category[self.alive[rows]]],
            *np.broadcast_to(holiday_days(panel, panel.weeks - 1 + horizon, 2)[:, None], (2, len(rows))),
            self._promotion(panel.weeks - 1 + horizon, 1)[rows, 0],
            self._promotion(panel.weeks - 4, 4)[rows].mean(axis=1),
            panel.weather.tmin[place, -1, step],
            panel.weather.tmax[place, -1, step],
            np.log1p(panel.weather.precip[place, -1, step]),
            panel.weather.forecast_days[place, -1, step],
            np.isnan(panel.weather.tmax[place, -1, step]),
            *(effect[rows] for effect in self.levels.ahead(horizon)),
        ]
        return np.column_stack([column.astype(np.float32) for column in columns])

    def _last_year(self, horizon: int, rows: npt.NDArray[np.integer]) -> tuple[Floats, Floats]:
        """Mean size and rate in the three weeks around the target's week last year; NaN before there was one."""
        centre = self.panel.weeks - 1 + horizon - 52
        if centre < 1:
            unknown = np.full(len(rows), np.nan, np.float32)
            return unknown, unknown
        around = self.demand[rows, centre - 1 : centre + 2]
        hits = (around > 0).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(np.where(hits > 0, around.sum(axis=1) / hits, np.nan)), hits / np.float32(3)

    def _season(self, horizon: int) -> Floats:
        """Log ratio of each category's demand around the target's week last year to that year's mean; NaN before there was one."""
        centre, units = self.panel.weeks - 1 + horizon - 52, self._category_units
        if centre < 1:
            return np.full(len(units), np.nan, np.float32)
        around = units[:, centre - 1 : centre + 2].mean(axis=1)
        year = units[:, max(centre - 26, 0) : centre + 26].mean(axis=1)
        ratio: Floats = np.log((around + 1) / (year + 1))
        return ratio

    def _promotion(self, first: int, weeks: int) -> Floats:
        """Days of promotion of each series alive in `weeks` weeks from week index `first`, shape (n, weeks)."""
        return promotion_days(self.panel, self.store, self.product, first, weeks)

    def _categories(self, rows: npt.NDArray[np.integer], ahead: Codes) -> dict[str, Coded]:
        stores, products = self.panel.store_text, self.panel.product_text
        store, product = self.store[rows], self.product[rows]
        return {
            "store": stores["store"].take(store),
            "product": products["product"].take(product),
            "category": products["category"].take(product),
            "vendor": products["vendor"].take(product),
            "week_of_year": Coded(self._iso(ahead), _ISO_WEEKS),
            "event": Coded(self._event(ahead), self._event_levels()),
            "next_event": Coded(self._event(ahead + 1), self._event_levels()),
        }

    def _iso(self, ahead: Codes) -> Codes:
        lookup = np.asarray([(self.panel.last + horizon).iso_week for horizon in range(int(ahead.max()) + 1)], np.int32)
        return lookup[ahead]

    def _event_levels(self) -> npt.NDArray[np.str_]:
        return np.concatenate([self.panel.events.name.levels, np.asarray(["~none"])])

    def _event(self, ahead: Codes) -> Codes:
        """The event of each row's week that lasts longest there and is for all; the last level stands for none."""
        events = self.panel.events
        everywhere = ~events.promotion & (events.store < 0) & (events.product < 0)
        lookup = np.full(int(ahead.max()) + 1, len(events.name.levels), np.int32)
        for horizon in np.unique(ahead):
            here = np.flatnonzero(everywhere & (events.week == self.panel.weeks - 1 + horizon))
            if len(here):
                lookup[horizon] = events.name.codes[here[np.lexsort((events.name.codes[here], -events.days[here]))[0]]]
        return lookup[ahead]


AHEAD = (
    "log_waiting", "phase", "horizon", "sin_year", "cos_year", "sin_half", "cos_half", "log_size_last_year", "rate_last_year", "category_season",
    "holiday_days", "next_holiday_days", "promotion_days", "promotion_recent", "tmin", "tmax", "log_precip", "forecast_days", "weather_unknown",
    *ANCHOR[: len(Effects._fields)],
)  # fmt: skip
_ISO_WEEKS = np.asarray([f"{week:02d}" for week in range(54)])


def scoring_frame(panel: Panel, horizons: int) -> Frame:
    """The rows to forecast at the end of `panel`, horizons 1 to `horizons`."""
    return OriginFeatures(panel).frame(range(1, horizons + 1))


def training_frame(panel: Panel, horizons: int, weeks: int, zeros_per_hit: float, seed: int) -> tuple[Frame, Codes]:
    """Rows of past origins with the demand that followed, each target week of the last `weeks` from up to two of them (`training_origins`).

    Parameters
    ----------
    panel
        History up to the training origin; targets do not pass its last week.
    zeros_per_hit
        Rows without demand that are kept for each row with demand, drawn at random and weighted for those left out.

    Returns
    -------
    (Frame, array)
        The rows, and the target week of each, counted back from the panel's last week (0 is the last). No rows where the history is too short for
        any origin, as in a region that joined lately.
    """
    rng = np.random.default_rng(seed)
    actual, learned = panel.demand(), estimated_demand(panel)
    frames, backs = [], []
    for back, ahead in horizons_by_origin(horizons, min(weeks, panel.weeks - 13)).items():
        origin = panel.last + -back
        at = OriginFeatures(panel.until(origin))
        keep, demands, records, weights = [], [], [], []
        for horizon in ahead:
            came, record = (demand[at.alive, origin - panel.first + horizon] for demand in (learned, actual))
            rows, weight = _with_some_zeros(np.maximum(came, record), zeros_per_hit, rng)
            keep.append(rows)
            demands.append(came[rows])
            records.append(record[rows])
            weights.append(weight)
        made = replace(at.frame(ahead, keep), demand=np.concatenate(demands), on_record=np.concatenate(records), weight=np.concatenate(weights))
        frames.append(made)
        backs.append(back - made.horizon)
    if not frames:
        none = np.zeros(0, np.float32)
        return replace(scoring_frame(panel, 1).take(np.zeros(0, np.intp)), demand=none, on_record=none), np.zeros(0, np.int32)
    return Frame.concat(frames), np.concatenate(backs)


def _with_some_zeros(came: Floats, zeros_per_hit: float, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], Floats]:
    hits, zeros = np.flatnonzero(came > 0), np.flatnonzero(came <= 0)
    kept = min(len(zeros), max(int(zeros_per_hit * len(hits)), min(len(zeros), 32)))
    chosen = np.sort(rng.choice(zeros, kept, replace=False)) if kept else zeros[:0]
    weight = np.concatenate([np.ones(len(hits)), np.full(kept, len(zeros) / max(kept, 1))])
    return np.concatenate([hits, chosen]), weight.astype(np.float32)


def _fast(demand: Floats, product: Codes, large: Bools, products: int) -> Bools:
    """Fast: products whose units per store and week of the last year reach the median of their format.

    The median product splits each format's assortment in halves whatever its volume is, so that both segments have products to learn from.
    """
    year = demand[:, -52:].mean(axis=1)
    fast = np.zeros(len(product), bool)
    for is_large in (True, False):
        here = large == is_large
        count = np.bincount(product[here], minlength=products)
        velocity = np.bincount(product[here], year[here], products) / np.maximum(count, 1)
        if count.any():
            fast[here] = (velocity >= np.median(velocity[count > 0]))[product[here]]
    return fast


def _by_group(demand: Floats, group: Codes, groups: int) -> Floats:
    """Sum of demand by group, shape (groups, weeks)."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    padded = np.vstack([demand[order], np.zeros((1, demand.shape[1]), np.float32)])
    sums = np.add.reduceat(padded, starts, axis=0)
    sums[np.bincount(group, minlength=groups) == 0] = 0
    return sums
