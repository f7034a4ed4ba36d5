"""Where a killed fit goes on from: weights and optimizer after each epoch, and a note which epoch it was."""

from __future__ import annotations

import json
from pathlib import Path

import keras

from smartbreed.core.files import disk_errors, replace_durably, write_tmp

NOTE = "training_metadata.json"


class Backup:
    """A folder with the state after the last finished epoch.

    Keras' BackupAndRestore overwrites its only weights file and writes its note afterwards: a process
    killed in between leaves one that does not load, or an epoch that is run twice. Here every epoch has
    a file of its own and the note, renamed into place last, says which counts.

    Args:
        folder: may hold what BackupAndRestore left; it is read too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def restore(self, model: keras.Model) -> int:
        """Load the saved state into a compiled model; returns how many epochs it has seen."""
        note = self.folder / NOTE
        if not note.is_file():
            return 0
        saved = json.loads(note.read_text())
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        model.load_weights(self.folder / saved.get("file", "latest.weights.h5"))
        return int(saved["epoch"])

    def save(self, model: keras.Model, epochs: int) -> None:
        """Keep the state after ``epochs`` epochs.

        Raises:
            StorageError: the disk refused; the state before is kept.
        """
        name = f"epoch-{epochs:04d}.weights.h5"
        with disk_errors("The checkpoint was not written"):
            self.folder.mkdir(parents=True, exist_ok=True)
            model.save_weights(self.folder / name)
            note = json.dumps({"epoch": epochs, "file": name}).encode()
            replace_durably(write_tmp(self.folder, NOTE, note), self.folder / NOTE)
            for old in self.folder.glob("*.weights.h5"):
                if old.name != name:
                    old.unlink()
