"""The run history of a lake root, in SQLite files or a PostgreSQL database: how events are written and who executes a run. No assets, no jobs."""
