"""A region's history as it was known at an origin, as arrays. Knows nothing of models; what is learned from it are features."""
