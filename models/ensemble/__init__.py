"""Members combined and calibrated, historical averages, and both as artifacts. Algorithms belong to models.members."""
