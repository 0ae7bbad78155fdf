import pytest

from transforms.origins import horizons_by_origin

WEEKS = 104


@pytest.mark.parametrize("horizons", [1, 2, 3, 4])
def test_up_to_four_horizons_each_origin_speaks_for_all_of_them(horizons: int) -> None:
    assert horizons_by_origin(horizons, WEEKS) == {back: list(range(1, horizons + 1)) for back in range(horizons, WEEKS + 1, horizons)}


@pytest.mark.parametrize("horizons", [5, 8, 13])
def test_longer_horizons_take_turns_and_no_week_appears_twice(horizons: int) -> None:
    found = horizons_by_origin(horizons, WEEKS)
    targets = [back - horizon for back, ahead in found.items() for horizon in ahead]
    assert len(targets) == len(set(targets))
    assert set(range(WEEKS - horizons)) <= set(targets) <= set(range(WEEKS))
    assert {horizon for ahead in found.values() for horizon in ahead} == set(range(1, horizons + 1))
    # A model that sees an origin only every 13 weeks sees eight states of its series in two years: MAPE 0.343 against 0.322 on the sample world.
    assert len(found) >= 18
