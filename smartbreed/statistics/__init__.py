"""Statistics of the served model: counts of answers and flags, drift, and the report made from them."""
