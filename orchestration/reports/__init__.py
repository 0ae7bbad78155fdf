"""Reports made from the record: audit, traces, maturity, drift, explanations, the board, the pages of slices, and what checks say of them.

Decides nothing; the doctor alone changes something, where asked to.
"""
