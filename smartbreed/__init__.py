"""SmartBreed: every dog and cat in a photograph, cropped, named, explained, open to correction.

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
    """Load a model; it answers until the program ends, whatever is released meanwhile.

    Args:
        model: folder of a bundle, or a Hub repo ``owner/name[@revision]``; empty: what
            ``SMARTBREED_MODEL`` says, normally the model that ships.

    Raises:
        SettingError: a ``SMARTBREED_…`` variable holds something unusable.
        BundleError: the model is not there, cannot be reached or does not verify.
    """
    # Imported here, so that ``import smartbreed`` takes no time.
    from smartbreed.model import Model

    return Model(str(model))
