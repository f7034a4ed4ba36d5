"""One module per stage: ``run(context)``, and ``check(context)`` where it can refuse early."""
