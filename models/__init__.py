"""Pure learning: members, ensembles, baselines, metrics, artifacts, drift. Takes frames and arrays; no Dagster, no reading of tables."""
