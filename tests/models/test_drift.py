from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.drift import distance, evidently_scores, score_drift, write_report
from transforms.calendar import Region, Week
from transforms.drift_frames import DriftFrames

WEEK = Week.parse("2022-05-02")


def frames(seed: int, shift: float = 0.0) -> DriftFrames:
    rng = np.random.default_rng(seed)
    weeks = np.repeat(np.arange(18), 200)

    def rows(n: int, level: np.ndarray | float) -> pd.DataFrame:
        return pd.DataFrame({"demand": rng.lognormal(2, 0.5, n) + level, "price": rng.normal(5, 1, n), "category": rng.choice(["a", "b", "c"], n)})

    reference = rows(len(weeks), rng.normal(0, 0.3, 18)[weeks])
    mondays = np.datetime64((WEEK + -60).monday) + weeks * np.timedelta64(7, "D")
    return DriftFrames(Region("ohio"), WEEK, rows(400, shift), reference, mondays, season=True)


def test_our_scores_are_evidentlys() -> None:
    made = frames(1, shift=3)
    theirs = evidently_scores(made.current, made.reference)
    assert set(theirs) == {"demand", "price", "category"}
    for column, score in theirs.items():
        assert distance(made.current[column], made.reference[column]) == pytest.approx(score, abs=1e-6)


def test_a_shifted_column_is_found_and_the_others_are_left_alone() -> None:
    result = score_drift(frames(2, shift=6), limit=0.3)
    assert result.columns == ["demand"]
    assert result.share == pytest.approx(1 / 3)
    assert result.drifted


def test_weeks_like_the_others_raise_few_alarms() -> None:
    alarms = [row["drifted"] for seed in range(30) for row in score_drift(frames(seed + 10), limit=0.3).scores.to_pylist()]
    assert np.mean(alarms) <= 0.12


def test_the_page_is_small_shares_its_scripts_and_says_the_verdict(tmp_path: Path) -> None:
    made = frames(3, shift=6)
    result = score_drift(made, limit=0.3)
    first = write_report(made, result, tmp_path)
    assert first == "drift/ohio/2022-05-02.html"
    page = (tmp_path / first).read_text()
    assert len(page) < 1_000_000
    assert "Drift detected" in page
    assert "https://" not in page.split("<body>")[0]
    shared = list((tmp_path / "assets").glob("*.js"))
    write_report(made, result, tmp_path)
    assert list((tmp_path / "assets").glob("*.js")) == shared
    assert all(f'src="../../assets/{path.name}"' in page for path in shared)
