"""What is on record: models, versions of the data, their checks, A/B tests, and the way from a forecast back to files. Decides nothing."""
