"""Choose the model that the app serves, and swap in newer releases while the app runs.

* `model_source`: which model or repo the settings name
* `state`: the state under ``SMARTBREED_HOME/models``: the pin, and the known good and rejected releases
* `releases`: list and download the releases of the model repo
* `smoke_test`: try a release in a separate process before the app loads it
* `initial_model`: the model to start with; if one was served before, no Hub is asked
* `live`: the model in use, and the swap to another one
* `watcher`: the thread that looks for newer releases
* `pinning`: a maintainer's choices: use a release, roll back, return to the latest
"""

from __future__ import annotations

from smartbreed.registry.initial_model import open_bundle

__all__ = ["open_bundle"]
