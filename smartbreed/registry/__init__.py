"""Which model answers, and how a newer one takes its place while the app runs.

* `model_source`: what the settings ask for
* `state`: what is remembered under ``SMARTBREED_HOME/models``: the pin, the last good ones, the bad ones
* `releases`: what the model repo offers, and downloading it
* `smoke_test`: a release is tried in a process of its own before this one loads it
* `initial_model`: the model to begin with, without asking any Hub when one was served before
* `live`: the model that answers now, and the swap
* `watcher`: the thread that looks for newer releases
* `pinning`: what a maintainer decides: use, roll back, back to the latest
"""

from __future__ import annotations

from smartbreed.registry.initial_model import open_bundle

__all__ = ["open_bundle"]
