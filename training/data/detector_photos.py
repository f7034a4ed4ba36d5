"""Training data of a detector: photographs of the dataset, of other animals and of accepted flags."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from training.data.accepted_scenes import accepted_beside
from training.data.others import load_other_scenes
from training.data.scenes import Scene, load_scenes, near_others, near_pairs, scenes_of_test, split_scenes


@dataclass(frozen=True)
class DetectorPhotos:
    """Photographs to train on, photographs held back, and counts for the report.

    Attributes:
        train, held_back: the photographs.
        duplicates: number left out as near-duplicates of a held-back or test photograph.
        near_pairs: number of near-duplicate pairs within the dataset's configuration of scenes.
        accepted: number of photographs in ``train`` that come from accepted missed pets.
        not_accepted: number of photographs of flags that were left out, by reason.
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
    """Load the photographs, split them, and leave out near-duplicates of held-back and test photographs.

    Photographs of accepted missed pets are only trained on, never held back, so that scores stay comparable
    between versions.

    Args:
        source, config: the dataset and its configuration of whole photographs.
        accepted: folder or dataset repo of flags whose accepted missed pets are added; empty for none.
        others: configuration of other animals and of pets in groups; empty for none.
        held_classes: classes of ``others`` that are never trained on.
        dropped: unusable photographs are appended here: ``{"origin": …, "reason": …}``.

    Raises:
        DataError: the source cannot be loaded or lacks a column, or ``accepted`` holds no flags.
        HubCallError: a request to the Hub failed.
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
