"""The Dagster code location and the command line: what runs when, on which slices, and what the UI shows. The only importer of Dagster."""

from orchestration.settings import spare_threads

spare_threads()
