"""Retraining as the app sees it: start the trainer's process, follow it, remember every run.

The learning itself lives in ``training/`` and runs in a process of its own; this
package never imports it. It speaks to it through a command line, JSON lines and files.
"""
