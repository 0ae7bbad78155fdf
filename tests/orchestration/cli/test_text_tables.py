"""Tables of the command line in a terminal of 80 columns."""

import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from rich.console import Console

from orchestration.settings import Settings
from orchestration.views.ab import show_test, show_tests
from orchestration.views.data import show_log
from orchestration.views.models import show_ledger, show_version, show_versions
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.ab_tests import AB_LIFT
from transforms.lake.tables import Lake
from transforms.records.ab_tests import AbTest, start
from transforms.records.dataset_versions import decide as decide_data
from transforms.records.dataset_versions import log
from transforms.records.model_registry import ModelEvent, ModelVersion, decide, register

NOW = datetime(2024, 7, 1, 8, tzinfo=UTC)
VERSION = "southern_california-small-slow-2024-05-27-0f3ab1c9"
TEST = "southern_california-small-slow-2024-07-01-interleave"
DATASET = "southern_california-0123456789ab"
GATE = "gate, run 123e4567-e89b-12d3-a456-426614174000"
REASON = "MAPE 0.203 against 0.515 of the historical average, significant"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("tables")
    lake = Lake(str(root))
    segment = {"region": "southern_california", "format": "small", "mover": "slow"}
    made = ModelVersion(
        **segment, model_version=VERSION, kind="ensemble", trained_week=date(2024, 5, 27), trained_at=NOW, run_id="r", code_version="c",
        dataset_version=DATASET, data_versions="{}", metrics='{"mape": 0.203, "baseline_mape": 0.515}', artifact_uri="a", sha256="0",
    )  # fmt: skip
    register(lake, [made], NOW, GATE, {VERSION: "first, no model yet"})
    decide(
        lake,
        [
            ModelEvent(
                **segment,
                model_version=VERSION,
                event_time=NOW,
                effective_week=date(2024, 5, 27),
                event="champion",
                actor=GATE,
                reason=REASON,
                replaces=None,
                numbers=None,
            )
        ],
    )
    test = AbTest(TEST, "southern_california", date(2024, 7, 1), "ada", REASON, "small", "slow", VERSION, "shadow", 26, "ape", 0.05, 7, ())
    start(lake, test, NOW)
    look = {
        "test_id": TEST,
        "region": "southern_california",
        "week": date(2024, 7, 8),
        "look": 1,
        "units": 123456,
        "champion": 0.2031,
        "challenger": 0.1987,
        "difference": -0.0044,
        "low": -0.0123,
        "high": 0.0035,
        "verdict": "undecided",
    }
    lake.replace(
        AB_LIFT.name,
        SliceBlock((Region("southern_california"),), Week(look["week"]), Week(look["week"])),
        pa.Table.from_pylist([look], schema=AB_LIFT.schema),
    )
    data = {
        "region": "southern_california",
        "dataset_version": DATASET,
        "last_week": date(2024, 6, 24),
        "rows": 123456,
        "delta_versions": "{}",
        "checks": "[]",
        "run_id": "r",
        "recorded_at": NOW,
    }
    lake.append("gold/dataset_versions", pa.Table.from_pylist([data], schema=CONTRACTS["gold/dataset_versions"].schema))
    lake.append("gold/dataset_events", CONTRACTS["gold/dataset_events"].schema.empty_table())
    stores = CONTRACTS["bronze/stores"]
    lake.overwrite(
        "bronze/stores",
        pa.Table.from_pylist([{name: "southern_california" if name == "region" else None for name in stores.names}], schema=stores.schema),
    )
    decide_data(lake, log(lake, [Region("southern_california")])[0], "approved", GATE, REASON, NOW)
    return Settings(root=str(root))


@pytest.mark.parametrize(
    ("show", "names"),
    [
        (lambda settings, console: show_ledger(settings, date(2024, 7, 1), None, [], console), [VERSION]),
        (lambda settings, console: show_versions(settings, [], None, 60, console), [VERSION]),
        (lambda settings, console: show_version(settings, VERSION, console), []),
        (show_tests, [TEST, VERSION]),
        (lambda settings, console: show_test(settings, TEST, console), []),
        (lambda settings, console: show_log(settings, [], 20, console), [DATASET]),
    ],
    ids=["models ledger", "models list", "models show", "ab list", "ab show", "data log"],
)
def test_at_80_columns_no_name_or_reason_is_cut_into_letters(settings: Settings, show: Callable[[Settings, Console], None], names: list[str]) -> None:
    text = io.StringIO()
    show(settings, Console(file=text, width=80))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in text.getvalue()
    columns = [list(column) for column in zip(*(re.split("[│┃]", line) for line in lines if line.count("│") + line.count("┃") > 2), strict=False)]
    folded = ["".join(cell.strip() for cell in column) for column in columns]
    for name in names:
        assert any(name in column for column in folded), f"{name} is not in one column:\n{text.getvalue()}"
        assert any(name[:15] in line for line in lines), f"{name} is cut into short pieces:\n{text.getvalue()}"
    if show is not show_test and "historical" in "".join(folded):
        # The words of a reason stay whole.
        assert any("historical" in line for line in lines), text.getvalue()
