"""The Dagster code location and the command line: what runs when, on which slices, and what the UI shows. The only importer of Dagster."""

import os

# Runs share the cores as processes; linear algebra of a few thousand numbers that waits for threads spins instead (1.7 times the CPU, measured).
# Read when numpy is first imported, and inherited by every process that is started from here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
