"""dbt for Dagster: its files and manifest, and how it is started. A server that has loaded dbt forks a process for each invocation."""
