"""Reports made from the record: audit, traces, maturity, drift, explanations. Decides and writes no table."""
