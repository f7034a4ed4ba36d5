"""SmartBreed: every dog and cat in a photograph, cropped, named, explained, open to correction."""

__version__ = "0.1.0"
