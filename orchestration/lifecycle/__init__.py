"""The life of models and data for a region at an origin: train, validate, promote, serve, watch, roll back. Knows nothing of Dagster."""
