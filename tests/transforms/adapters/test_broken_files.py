"""Files of every format broken byte by byte; `python -m benchmarks.fuzz_files` breaks many more."""

from collections import Counter

from benchmarks.fuzz_files import SEEDS, fuzz


def test_a_broken_file_is_taken_or_refused_and_nothing_else() -> None:
    # In processes of their own: the memory that other tests have taken is none of theirs.
    outcomes = fuzz(range(20 * len(SEEDS)), 7)
    assert len(outcomes) == 20 * len(SEEDS)
    assert [outcome for outcome in outcomes if outcome.outcome not in {"taken", "refused"}] == []
    assert Counter(outcome.outcome for outcome in outcomes)["refused"] > 100
