"""One module for each stage from landing to monitoring, for each report beside them, and for what runs by itself."""
