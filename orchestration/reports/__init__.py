"""Reports made from the record: audit, traces, maturity, drift, explanations. Decides nothing; the doctor alone changes something, where asked to."""
