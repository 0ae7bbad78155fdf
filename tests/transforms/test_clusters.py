import numpy as np

from transforms.clusters import CLUSTER_NAMES, Clusters, with_cluster
from transforms.contracts.gold import FORECASTS

NAN = np.nan


def of(rule: Clusters, values: list[float], counted: list[bool] | None = None) -> list[str]:
    return rule.of(np.asarray(values, np.float32), np.ones(len(values), bool) if counted is None else np.asarray(counted)).tolist()


def test_stores_are_split_in_equal_parts_in_the_order_of_the_attribute() -> None:
    assert of(Clusters("income", 2), [30, 10, 40, 20]) == ["high_income", "low_income", "high_income", "low_income"]
    assert of(Clusters("median_age", 3), [1, 2, 3, 4, 5, 6]) == [f"{name}_median_age" for name in ("low", "low", "middle", "middle", "high", "high")]


def test_a_store_of_which_nothing_is_known_goes_with_the_median_one() -> None:
    assert of(Clusters("income", 3), [10, 20, 30, NAN]) == ["low_income", "middle_income", "high_income", "middle_income"]


def test_closed_stores_do_not_move_the_borders() -> None:
    assert of(Clusters("income", 2), [10, 20, 900, 950], [True, True, False, False]) == ["low_income", "high_income", "high_income", "high_income"]


def test_a_format_without_a_known_value_stays_whole() -> None:
    assert of(Clusters("income", 2), [NAN, NAN]) == ["", ""]
    assert of(Clusters("income", 2), [NAN, 5], [True, False]) == ["", ""]
    assert with_cluster("large", "") == "large"


def test_every_name_is_allowed_by_the_contract() -> None:
    allowed = set(FORECASTS["format"].allowed)
    assert {with_cluster("small", name) for name in CLUSTER_NAMES} <= allowed
    assert set(Clusters("population", 5).names) <= set(CLUSTER_NAMES)
    assert {"large", "small"} <= allowed
