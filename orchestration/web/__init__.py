"""Web servers: the Dagster UI behind its front, and the reports. What they show is made elsewhere."""
