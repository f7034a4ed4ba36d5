"""SmartBreed: find and name every dog and cat in a photograph, explain the answer, learn from corrections.

>>> import smartbreed
>>> answer = smartbreed.load().identify("rex.jpg")
>>> answer.pets[0].breeds[0].name
'Border Terrier'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from smartbreed.model import Model

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def load(model: str | Path = "") -> Model:
    """Load a model; it stays the same until the program ends, even if a newer version is released.

    Args:
        model: folder of a bundle, or a Hub repo ``owner/name[@revision]``; empty: the model of
            ``SMARTBREED_MODEL``, normally the one that ships.

    Raises:
        SettingError: a ``SMARTBREED_…`` variable has an unusable value.
        BundleError: the model does not exist, cannot be reached or fails verification.
    """
    # Imported here to keep ``import smartbreed`` fast.
    from smartbreed.model import Model

    return Model(str(model))
