"""Web servers: the Dagster UI behind its front, and the way from there to the pages. What they show is made elsewhere."""
