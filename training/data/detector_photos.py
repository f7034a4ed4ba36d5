"""The whole photographs a detector learns from: the dataset's, other animals, accepted flags."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from training.data.accepted_scenes import accepted_beside
from training.data.others import load_other_scenes
from training.data.scenes import Scene, load_scenes, near_others, near_pairs, scenes_of_test, split_scenes


@dataclass(frozen=True)
class DetectorPhotos:
    """Photographs to train on and photographs held back.

    Attributes:
        train, held_back: the photographs.
        duplicates: left out because they nearly equal one held back or of the test split.
        near_pairs: pairs of the configuration of scenes that are nearly the same.
        accepted: those of accepted missed pets, which are among ``train``.
        not_accepted: why other photographs of flags were left out, and how many.
    """

    train: list[Scene]
    held_back: list[Scene]
    duplicates: int = 0
    near_pairs: int = 0
    accepted: int = 0
    not_accepted: dict[str, int] = field(default_factory=dict)


def detector_photos(
    source: str,
    config: str,
    accepted: str = "",
    others: str = "",
    held_classes: Collection[str] = (),
    dropped: list[dict[str, str]] | None = None,
) -> DetectorPhotos:
    """Load and split them; a training photograph that nearly equals a held-back or a test one is left out.

    Photographs of accepted missed pets are only trained on, so that the figures stay comparable.

    Args:
        source, config: the dataset and its configuration of whole photographs.
        accepted: folder or dataset repo of flags whose accepted missed pets come along; empty: none.
        others: configuration of other animals and of pets in groups; empty: none.
        held_classes: its classes that nothing is trained on.
        dropped: gets what cannot be used: ``{"origin": …, "reason": …}``.

    Raises:
        DataError: the source cannot be loaded or lacks a column, or ``accepted`` holds no flags.
        HubCallError: the Hub cannot be asked.
    """
    test = scenes_of_test(source, config)
    scenes = load_scenes(source, "train", config, dropped)
    train, held_back = split_scenes(scenes, test)
    duplicates = len(scenes) - len(train) - len(held_back)
    if others:
        more, apart = load_other_scenes(source, others, held_classes, dropped)
        near = near_others(more, [*held_back, *test, *apart, *scenes_of_test(source, others)])
        train += [scene for scene, known in zip(more, near, strict=True) if not known]
        held_back += apart
        duplicates += int(near.sum())
    flagged, not_accepted = accepted_beside(accepted, [*held_back, *test])
    return DetectorPhotos(
        [*train, *flagged], held_back, duplicates, len(near_pairs(scenes)), len(flagged), not_accepted
    )
