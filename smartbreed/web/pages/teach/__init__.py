"""``/teach``: models of one's own; ``/m/<address>``: those that are published."""
