"""Measurements, as ratios in one run against a named peer or the bare computation. Run by `make bench`, never as tests."""

import os

# As in production (`orchestration`): one thread a process.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
