"""Faults that a weekly cycle has to survive: killed processes, full disks, two at once, clocks, damage, half-uploaded files, failing object stores.

Each trial copies a small prepared lake, does its fault while the weekly cycle runs, and then runs `shelfcast run` once more without other help. Here
and not below `tests/`, since it is a measurement that takes hours, ends in a table and is recorded beside the others; CI runs its short form.

    python -m benchmarks.faults --kills 200 --each 3 --seed 7
    python -m benchmarks.faults --kills 20 --each 1 --root s3 --history postgresql --table faults.jsonl
"""
