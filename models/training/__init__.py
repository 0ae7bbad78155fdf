"""Training of regions and pools, backtests, trials and reproductions. Reads no table and registers nothing."""
