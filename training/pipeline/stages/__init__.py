"""What each stage does: ``run(context)``, and ``check(context)`` where something can be refused early."""
