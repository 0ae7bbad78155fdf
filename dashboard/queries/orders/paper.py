"""What is printed for the truck: a region's plan, store by store, with where each store is and who approved it."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.queries.orders.plans import PlanOf, decisions_on, next_to_load, planned_regions, planned_weeks
from dashboard.queries.reader import Reader
from transforms.contracts.silver import SILVER_STORES
from transforms.errors import MissingData
from transforms.exports.store_plans import StorePlan, store_plans
from transforms.rows import Row

_PLACES = """
    select store_id, arg_max(zip, since) as zip, arg_max(place, since) as place
    from (select *, coalesce(valid_from, date '0001-01-01') as since from silver_stores) group by 1
"""


@dataclass(frozen=True, slots=True)
class Paper:
    """The sheets of a plan: one a store, where stores are, and the newest decision on the plan."""

    plan: PlanOf
    stores: Sequence[StorePlan]
    places: dict[str, str]
    decision: Row | None


def plan_to_print(reader: Reader, region: str, week: str) -> PlanOf:
    """The plan that an address asks for; of the week to load next where it names none.

    Raises
    ------
    MissingData
        If there is none.
    """
    plans = planned_weeks(reader, region) if region in planned_regions(reader) else []
    plan = next((plan for plan in plans if str(plan.target) == week), None) if week else next_to_load(plans)
    if plan is None:
        known = (
            f"weeks from {plans[-1].target} to {plans[0].target}" if plans else f"one of the regions {', '.join(planned_regions(reader)) or '(none)'}"
        )
        raise MissingData(f"There is no plan of region {region!r} for the week {week or 'to load next'!r}: expected {known}. Open it from Orders.")
    return plan


def paper_of(reader: Reader, plan: PlanOf, store: str | None) -> Paper:
    """What is printed of a plan, or of one store of it.

    Raises
    ------
    MissingData
        If the store is not in it.
    """
    stores = list(store_plans(reader.lake, plan.region, plan.target, plan.target - plan.origin, store))
    places = {row["store_id"]: " ".join(filter(None, (row["zip"], row["place"]))) for row in reader.rows(_PLACES, SILVER_STORES.name)}
    return Paper(plan, stores, places, next(iter(decisions_on(reader, plan)), None))
