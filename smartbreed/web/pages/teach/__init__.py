"""Members' own models: made at ``/teach``, and served at ``/m/<address>`` once published."""
