"""Every feature keeps the promises of its kind, and one object is all that a new one takes."""

from dataclasses import replace

import numpy as np
import pytest

from models.ensemble.ensemble import Ensemble
from models.serving.contributions import _knowing
from models.serving.failover import ArtifactError, check_features
from models.training.train import TrainingSpec, train_region
from models.training.trial import TrialRows
from orchestration.experiments.frames import COLUMNS, as_pandas, meanings
from transforms.errors import ConfigurationError
from transforms.features import catalogue
from transforms.features.build import scoring_frame, training_frame
from transforms.features.catalogue import FEATURES, features_named, last_sizes
from transforms.features.feature import GROUPS, Category, Feature, LastSize, OriginFeature, TargetFeature
from transforms.features.frame import Frame
from transforms.features.origin import Origin
from transforms.features.recency import RECENT
from transforms.features.target import Target
from transforms.panel.panel import Coded, Panel

SPEC = TrainingSpec(weeks=40, fewest_rows=50, members=("lasso",))
HORIZONS = (1, 2, 4, 13)
OF_ORIGIN = OriginFeature("moon_phase", "share", "season", "Phase of the moon at the origin.", lambda at: np.full(len(at.alive), 0.5))
OF_TARGET = TargetFeature("tide", "m", "weather", "Height of the tide in the target week.", lambda to: 2.0 * to.horizon)
OF_TEXTS = Category(
    "colour", "name", "level", "Colour of the shelf.", lambda to: Coded(np.zeros(len(to.rows), np.int32), np.asarray(["green", "red"]))
)


@pytest.fixture(scope="module")
def origin(panel: Panel) -> Origin:
    return Origin(panel.until(panel.last + -4))


def named(feature: Feature) -> str:
    return feature.name


@pytest.mark.parametrize("feature", FEATURES, ids=named)
def test_a_feature_says_what_it_is_and_has_a_name_of_its_own(feature: Feature) -> None:
    assert feature.unit
    assert feature.meaning.endswith(".")
    assert feature.group in GROUPS
    assert features_named([feature.name]) == [feature]
    assert feature.name not in {column.name for column in COLUMNS}


@pytest.mark.parametrize("feature", FEATURES, ids=named)
def test_a_feature_has_one_number_or_text_for_each_row(feature: Feature, origin: Origin) -> None:
    rows = np.arange(len(origin.alive))[::3]
    for target in (Target(origin, horizon, rows) for horizon in HORIZONS):
        match feature:
            case OriginFeature() | LastSize():
                values, count = np.asarray(feature.of(origin), np.float32), len(origin.alive)
            case TargetFeature():
                values, count = np.asarray(np.broadcast_to(feature.of(target), len(rows)), np.float32), len(rows)
            case Category():
                column = feature.of(target)
                values, count = column.codes, len(rows)
                assert column.codes.dtype == np.int32
                assert ((column.codes >= 0) & (column.codes < len(column.levels))).all()
        assert values.shape == (count,)
        assert not np.isinf(values).any()


def test_a_frame_holds_the_features_and_nothing_else(panel: Panel) -> None:
    frame = scoring_frame(panel, 2)
    assert [*frame.names, *frame.categorical] == [feature.name for feature in FEATURES if not isinstance(feature, LastSize)]
    assert frame.numeric.shape == (len(frame), len(frame.names))
    assert frame.numeric.dtype == frame.recent.dtype == np.float32
    assert frame.recent.shape == (len(frame), RECENT)
    assert len({size.group for size in last_sizes()}) == 1, "they are known or unknown together"


def test_a_feature_added_to_the_catalogue_is_in_frames_documents_groups_and_explanations(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scoring_frame(panel, 2)
    monkeypatch.setattr(catalogue, "FEATURES", (*FEATURES, OF_ORIGIN, OF_TARGET, OF_TEXTS))
    frame = scoring_frame(panel, 2)
    assert set(frame.names) - set(before.names) == {"moon_phase", "tide"}
    assert set(frame.categorical) - set(before.categorical) == {"colour"}
    assert set(column_of(frame, "moon_phase")) == {0.5}
    np.testing.assert_array_equal(column_of(frame, "tide"), 2 * frame.horizon)
    for name in before.names:
        np.testing.assert_array_equal(column_of(frame, name), column_of(before, name))

    rows = TrialRows.of(panel, TrainingSpec(weeks=20))
    seen = as_pandas(rows, rows.segments())
    assert {"moon_phase", "tide", "colour"} <= set(seen.columns)
    told = {column.column: (column.unit, column.meaning) for column in meanings(seen.columns)}
    assert told["tide"] == ("m", "Height of the tide in the target week.")

    model = next(trained.model for trained in train_region(panel, SPEC) if isinstance(trained.model, Ensemble))
    season = _knowing(model, frame, frame, ("season",))
    assert set(column_of(season, "moon_phase")) == {0.5}, "its group is known"
    assert len(set(column_of(season, "tide"))) == 1, "its group is not known: the mean stands for it"
    assert season.categorical["colour"].levels.tolist() == ["~unseen"]


def test_a_model_made_before_a_feature_was_added_is_refused_by_its_name(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    model = next(trained.model for trained in train_region(panel, SPEC) if isinstance(trained.model, Ensemble))
    monkeypatch.setattr(catalogue, "FEATURES", (*FEATURES, OF_ORIGIN))
    with pytest.raises(ArtifactError, match=r"missing now \[\], new since \['moon_phase'\]"):
        check_features(model, scoring_frame(panel, 1))


def test_a_column_that_no_feature_makes_is_refused(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"one feature of transforms\.features\.catalogue; these are as many: \{'moon_phase': 0\}\. Add"):
        features_named(["tmin", "moon_phase"])
    monkeypatch.setattr(catalogue, "FEATURES", (*FEATURES, replace(FEATURES[0], unit="again")))
    with pytest.raises(ConfigurationError, match=rf"these are as many: \{{'{FEATURES[0].name}': 2\}}"):
        features_named([FEATURES[0].name])


def test_each_group_answers_its_question() -> None:
    asked = ("log_last_1", "store", "rate_last_year", "tmax", "promotion_days", "log_price", "log_income")
    assert {feature.name: feature.group for feature in features_named(asked)} == {
        "log_last_1": "level",
        "store": "level",
        "rate_last_year": "season",
        "tmax": "weather",
        "promotion_days": "price_and_events",
        "log_price": "price_and_events",
        "log_income": "demographics",
    }


def test_a_training_frame_has_the_columns_of_a_scoring_frame(panel: Panel) -> None:
    assert training_frame(panel, 4, 20, 0.5, 7)[0].names == scoring_frame(panel, 4).names


def column_of(frame: Frame, name: str) -> np.ndarray:
    return frame.numeric[:, frame.names.index(name)]
