"""How Dagster runs the steps: partitions, resources, metadata, instance, runs. What a step does belongs to lifecycle, assets to defs."""
