"""What pages and commands both ask for beyond the lake's tables: what takes models to answer, and decisions that people make. Knows nothing of
Dagster, and nothing of how an answer looks.
"""
