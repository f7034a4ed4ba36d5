"""Write a head as a bundle for `smartbreed.load`: the base model's networks with the new classes."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

from smartbreed.core.errors import BundleError, RequestError
from smartbreed.core.files import disk_errors
from smartbreed.inference.bundle import FORMAT, Bundle, write_config
from smartbreed.inference.head import UnknownLayout, replace_head
from smartbreed.inference.network_metadata import describe_networks
from smartbreed.inference.pipeline import Identifier
from smartbreed.teach.learning import SAID_FROM, Taught
from smartbreed.teach.photos import Subject

README = "README.md"
#: Fewest photos per class.
FEWEST = 3
#: Unicode's categories of letters and digits, which ids are made of, and the most characters of an id.
_IN_IDS, _LONGEST = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Nd")), 90


def label_ids(names: Sequence[str]) -> list[str]:
    """Return a unique id for each name, made of letters, digits and ``_``."""
    ids: list[str] = []
    taken: set[str] = set()
    for number, name in enumerate(names, start=1):
        text = unicodedata.normalize("NFKC", name).lower()
        # Not ``\w``: what it matches differs between Python and the pattern of ids in a bundle.
        fit = "".join(sign if unicodedata.category(sign) in _IN_IDS or sign == "_" else " " for sign in text)
        plain = re.sub(" +", "_", fit).strip("_")[:_LONGEST] or f"class_{number}"
        numbered = (f"{plain}_{n}" for n in count(number))
        made = next(one for one in chain([plain], numbered) if one not in taken)
        ids.append(made)
        taken.add(made)
    return ids


def slug(name: str) -> str:
    """Return a name in a form for URLs and files: lower-case ASCII letters, digits and ``_``."""
    return re.sub(r"[^a-z0-9_]+", "_", label_ids([name])[0]).strip("_") or "model"


def check_classes(names: Sequence[str], counts: Sequence[int]) -> None:
    """Check that there are enough classes and photos to train on.

    Args:
        names: of the classes.
        counts: number of photos of each class.

    Raises:
        RequestError: ``too_few_classes`` or ``too_few_photos``.
    """
    if len(names) < 2:
        raise RequestError("too_few_classes", "A model tells classes apart: it needs at least two.")
    short = [name for name, count in zip(names, counts, strict=True) if count < FEWEST]
    if short:
        raise RequestError(
            "too_few_photos",
            f"Each class needs at least {FEWEST} photos. These have fewer: {', '.join(short[:5])}.",
        )


def bundle_files(bundle: Bundle) -> dict[str, Path]:
    """Return the paths of all files of a bundle, by name."""
    return {name: bundle.folder / name for name in ("config.json", *bundle.config.files)}


def write_bundle(
    folder: Path, base: Bundle, taught: Taught, names: Sequence[str], title: str, subject: Subject
) -> Bundle:
    """Write a bundle, load it and return it.

    Args:
        folder: empty, or created.
        base: the model whose embeddings were learnt from.
        taught: the fitted head.
        names: of its classes, in order.
        title: name of the model.
        subject: ``pet`` to include the base's detector.

    Raises:
        BundleError: the base's head cannot be replaced, or the result does not run.
        StorageError: the disk refused.
    """
    config = base.config.classifier
    content = base.path(config.file).read_bytes()
    try:
        content = replace_head(content, taught.head)
    except UnknownLayout as error:
        raise BundleError(f"The model in use here cannot be given classes of your own. {error}") from None
    labels = [{"id": key, "name": name} for key, name in zip(label_ids(names), names, strict=True)]
    detector = base.config.detector if subject == "pet" else None
    values: dict[str, Any] = {
        "format": FORMAT,
        "name": title,
        "version": "1.0.0",
        "about": f"A model of one's own: {len(names)} classes, learnt from {sum(taught.counts)} photos.",
        "parents": [base.version.as_dict()],
        "metrics": {"accuracy": round(taught.accuracy, 4), "photos": sum(taught.counts)},
        "classifier": config.model_dump(mode="json", exclude={"other"} if subject == "whole" else None)
        | {
            "file": "classifier.tflite", "weights": "", "labels": labels, "temperature": taught.temperature,
            "bias": [float(value) for value in taught.head.bias],
            "thresholds": {"breed": SAID_FROM, "group": SAID_FROM},
        },
        # Box verification needs the logits of the base's breeds, so the detector has to do without it.
        "detector": detector
        and detector.model_dump(mode="json") | {"file": "detector.tflite", "weights": "", "confirm": None},
    }  # fmt: skip
    with disk_errors("The model was not saved"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "classifier.tflite").write_bytes(content)
        if detector:
            shutil.copyfile(base.path(detector.file), folder / "detector.tflite")
        (folder / README).write_text(_card(taught, names, title, base), encoding="utf-8")
        describe_networks(folder, values)
        write_config(folder, values)
    return Identifier.load(folder, threads=1).bundle


def _card(taught: Taught, names: Sequence[str], title: str, base: Bundle) -> str:
    """Return the model card: the classes, and the accuracy on held-out photos."""

    def plain(text: str) -> str:
        return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text)

    rows = [
        f"| {plain(name)} | {count} | {row[place]} of {row.sum()} |"
        for place, (name, count, row) in enumerate(zip(names, taught.counts, taught.confusion, strict=True))
    ]
    return "\n".join(
        [
            "---", "library_name: smartbreed", "tags: [image-classification]", "---", "",
            f"# {plain(title)}", "",
            f"A head on the embeddings of {base.config.name} {base.config.version}, learnt from "
            f"{sum(taught.counts)} photos. {taught.accuracy:.1%} of {taught.checked} photos were named "
            "right by a head that had not seen them.", "",
            "| class | photos | right while held back |", "|---|---|---|", *rows, "",
            "```python", "import smartbreed", 'smartbreed.load("FOLDER").identify("photo.jpg")', "```", "",
        ]
    )  # fmt: skip
