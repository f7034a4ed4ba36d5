"""Retraining jobs of the app: start the trainer's process, follow its progress, and list past runs.

The training code is in ``training/`` and runs in a separate process; this package never imports it.
The two communicate through a command line, JSON lines and files.
"""
