"""How often something may be done; every replica counts what any other saw."""
