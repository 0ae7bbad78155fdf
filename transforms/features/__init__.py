"""Features that models learn from, made of a panel that ends at the origin. Reads no table."""
