"""A search over parameters that reads the rows once."""
