"""Files of every format broken byte by byte; `python -m benchmarks.fuzz_files` breaks many more."""

from collections import Counter
from pathlib import Path

from benchmarks.fuzz_files import SEEDS, read_input


def test_a_broken_file_is_taken_or_refused_and_nothing_else(tmp_path: Path) -> None:
    outcomes = [read_input(number, 7, tmp_path) for number in range(20 * len(SEEDS))]
    assert [outcome for outcome in outcomes if outcome.outcome not in {"taken", "refused"}] == []
    assert Counter(outcome.outcome for outcome in outcomes)["refused"] > 100
