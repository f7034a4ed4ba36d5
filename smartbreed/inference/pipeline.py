"""The pipeline: photo → detector → crops → classifier → Identification."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from smartbreed.core.errors import BundleError, RequestError
from smartbreed.core.telemetry import stage
from smartbreed.imaging.photo import Photo
from smartbreed.inference.box_verification import confirmed, smallest_candidate
from smartbreed.inference.boxes import with_margin
from smartbreed.inference.bundle import Bundle, load_bundle
from smartbreed.inference.classifier import Classifier, Outputs
from smartbreed.inference.decision_rule import DecisionRule
from smartbreed.inference.detector import Detection, Detector
from smartbreed.inference.grad_cam import overlay
from smartbreed.inference.labels import Labels
from smartbreed.inference.picture_quality import Faults
from smartbreed.inference.results import Identification, Pet, Reason
from smartbreed.inference.runtime import NETWORK_THREADS, default_threads
from smartbreed.inference.tiles import LARGE, MOST_PETS, SMALL, is_strip, search

#: Longest side of overlay pictures, in pixels.
OVERLAY_SIZE = 320


class Identifier:
    """A loaded model; safe to use from many threads at once.

    Args:
        bundle: a verified bundle.
        threads: photos processed at once; 0: one per core.
        top_k: breeds listed for each pet unless a call says otherwise.
        network_threads: threads of a network for each photo; use 1 if every core has a photo of its own.

    Raises:
        BundleError: a network does not load, or the bundle's self-test fails.
    """

    def __init__(
        self, bundle: Bundle, *, threads: int = 0, top_k: int = 5, network_threads: int = NETWORK_THREADS
    ) -> None:
        self.bundle = bundle
        self.threads = threads or default_threads()
        self.top_k = top_k
        self.classifier = Classifier(bundle, self.threads, network_threads)
        self.detector = Detector(bundle, self.threads, network_threads) if bundle.config.detector else None
        self.known = Labels(bundle.config.classifier)
        self.decision_rule = DecisionRule(bundle.config.classifier, self.known)
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="identify")
        self._self_test()

    @classmethod
    def load(cls, folder: str | Path, *, threads: int = 0, top_k: int = 5) -> Identifier:
        """Load the bundle in ``folder``."""
        return cls(load_bundle(folder), threads=threads, top_k=top_k)

    @property
    def labels(self) -> list[str]:
        """Breed ids in the order of the logits."""
        return self.decision_rule.labels

    def identify(
        self,
        photo: Photo,
        *,
        whole: bool = False,
        top_k: int | None = None,
        score: float | None = None,
        tiles: bool = True,
    ) -> Identification:
        """Find and name every pet in one photo.

        Args:
            photo: as `smartbreed.imaging.photo.read_photo` returns it.
            whole: classify the whole picture without looking for pets; always so without a detector.
            top_k: breeds to list, at least 1; None: the number given at construction.
            score: smallest probability that a box is a pet, 0…1; None: the bundle's threshold.
            tiles: search parts of the photo too if the whole may show too little
                (`smartbreed.inference.tiles`).
        """
        started = time.perf_counter()
        picture = photo.to_pil()
        detections, taken_whole = self._find(picture, whole, score)
        candidates = [self._pet(picture, found, taken_whole, top_k) for found in detections]
        pets = self._confirmed(candidates, taken_whole, score)
        if tiles and self._may_show_more(picture, pets, taken_whole):
            pets = self._with_tiles(picture, candidates, top_k, score)
        return self._answer(photo, pets, time.perf_counter() - started, taken_whole)

    def identify_many(
        self,
        photos: Sequence[Photo],
        *,
        whole: bool = False,
        top_k: int | None = None,
        score: float | None = None,
    ) -> list[Identification]:
        """Find and name every pet in every photo; answers are in order, as `identify` gives them.

        The interpreters share the work: first all photos, then all crops, then the tiles of each photo that
        needs them.
        """
        started = time.perf_counter()
        pictures = [photo.to_pil() for photo in photos]
        found = list(self._pool.map(lambda picture: self._find(picture, whole, score), pictures))
        jobs = [(n, detection) for n, (detections, _) in enumerate(found) for detection in detections]
        crops = list(
            self._pool.map(lambda job: self._pet(pictures[job[0]], job[1], found[job[0]][1], top_k), jobs)
        )
        shown = []
        for n, picture in enumerate(pictures):
            candidates = [pet for (owner, _), pet in zip(jobs, crops, strict=True) if owner == n]
            pets = self._confirmed(candidates, found[n][1], score)
            if self._may_show_more(picture, pets, found[n][1]):
                pets = self._with_tiles(picture, candidates, top_k, score)
            shown.append(pets)
        share = (time.perf_counter() - started) / max(len(photos), 1)
        return [
            self._answer(photo, pets, share, whole)
            for photo, pets, (_, whole) in zip(photos, shown, found, strict=True)
        ]

    def combine(self, answers: Sequence[Identification], *, top_k: int | None = None) -> Pet:
        """Combine several photos of the same pet: average the logits of the best pet of each photo.

        Raises:
            RequestError: no photo shows a pet.
        """
        pets = [answer.pets[0] for answer in answers if answer.pets]
        if not pets:
            raise RequestError("no_pet", "None of these photos shows a pet, so there is nothing to combine.")
        return self._named(
            pets[0].box, pets[0].crop, pets[0].score,
            Outputs(
                np.mean([pet.logits for pet in pets], axis=0),
                pets[0].class_maps,
                np.mean([pet.embedding for pet in pets], axis=0),
                Faults(*np.mean([pet.faults for pet in pets], axis=0)),
            ),
            top_k,
        )  # fmt: skip

    def label_index(self, breed: str) -> int:
        """Return the position of a breed id in the logits.

        Raises:
            RequestError: this model does not know the breed.
        """
        return self.known.index(breed)

    def heat(self, pet: Pet, breed: str | None = None) -> np.ndarray:
        """Return the Grad-CAM of a pet for ``breed`` (None: its first guess): float32 ``(7, 7)`` in 0…1."""
        return self.known.heat(pet.class_maps, breed or pet.breeds[0].id)

    def crop(self, photo: Photo, pet: Pet, size: int = OVERLAY_SIZE) -> np.ndarray:
        """Return what the classifier saw, in its true proportions: uint8, longest side ``size``."""
        x0, y0, x1, y1 = box = photo.in_pixels(pet.crop)
        factor = size / max(x1 - x0, y1 - y0)
        shape = (max(1, round((x1 - x0) * factor)), max(1, round((y1 - y0) * factor)))
        return np.asarray(photo.to_pil().resize(shape, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0))

    def explain(
        self, photo: Photo, pet: Pet, breed: str | None = None, size: int = OVERLAY_SIZE
    ) -> np.ndarray:
        """Return the crop overlaid with its Grad-CAM, aligned with `crop`; uint8."""
        return overlay(self.crop(photo, pet, size), self.heat(pet, breed))

    def _find(self, picture: Image.Image, whole: bool, score: float | None) -> tuple[list[Detection], bool]:
        if whole or self.detector is None:
            return [Detection((0.0, 0.0, float(picture.width), float(picture.height)), 1.0)], True
        with stage("detect"):
            return self.detector.detect(picture, smallest_candidate(self.detector.config, score)), False

    def _confirmed(self, candidates: list[Pet], whole: bool, score: float | None) -> tuple[Pet, ...]:
        if whole or self.detector is None:
            return tuple(candidates)
        return confirmed(self.detector.config, candidates, score)

    def _may_show_more(self, picture: Image.Image, pets: tuple[Pet, ...], whole: bool) -> bool:
        if whole or self.detector is None:
            return False
        if is_strip(*picture.size) or len(pets) >= self.detector.config.most:
            return True
        long = max(picture.size)
        sides = [max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in (pet.box for pet in pets)]
        # The median, because among many pets a box may be drawn around several.
        return long >= LARGE and (not sides or bool(np.median(sides) < SMALL * long))

    def _with_tiles(
        self, picture: Image.Image, candidates: list[Pet], top_k: int | None, score: float | None
    ) -> tuple[Pet, ...]:
        assert self.detector is not None
        config = self.detector.config
        found = search(self.detector, picture, smallest_candidate(config, score), self._pool.map)
        more = self._pool.map(lambda detection: self._pet(picture, detection, False, top_k), found)
        return confirmed(config, [*candidates, *more], score, MOST_PETS)

    def _pet(self, picture: Image.Image, found: Detection, whole: bool, top_k: int | None) -> Pet:
        margin = 0.0 if whole else self.classifier.config.margin
        crop = with_margin(np.array(found.box), margin, picture.width, picture.height)
        with stage("classify"):
            outputs = self.classifier.classify(picture, crop)
        return self._named(found.box, crop, found.score, outputs, top_k)

    def _named(
        self,
        box: tuple[float, float, float, float],
        crop: tuple[float, float, float, float],
        score: float,
        outputs: Outputs,
        top_k: int | None,
    ) -> Pet:
        probabilities = self.classifier.probabilities(outputs.logits, outputs.faults)
        species, verdict, breeds, group = self.decision_rule.decide(probabilities, top_k or self.top_k)
        reason: Reason = ""
        if self.classifier.is_other(outputs.embedding):
            verdict, reason = "unknown", "other"
        elif verdict != "breed":
            reason = self.decision_rule.why(outputs.faults, max(crop[2] - crop[0], crop[3] - crop[1]))
        return Pet(
            box,
            crop,
            score,
            species,
            verdict,
            breeds,
            group,
            outputs.logits,
            outputs.class_maps,
            outputs.embedding,
            reason,
            outputs.faults,
        )

    def _answer(self, photo: Photo, pets: tuple[Pet, ...], seconds: float, whole: bool) -> Identification:
        if photo.full and photo.full != (photo.pixels.shape[1], photo.pixels.shape[0]):
            pets = tuple(
                replace(pet, box=photo.in_full(pet.box), crop=photo.in_full(pet.crop)) for pet in pets
            )
        return Identification(
            photo.name,
            photo.sha256,
            photo.width,
            photo.height,
            pets,
            self.bundle.version,
            seconds * 1000,
            whole,
            labels=self.known,
        )

    def _self_test(self) -> None:
        """Run on a fixed picture: a bundle or runtime that computes something else must not serve."""
        config = self.classifier.config
        picture = self_test_picture(config.input_size)
        try:
            outputs = self.classifier.run(picture)
            logits = outputs.logits
        except (ValueError, RuntimeError, KeyError, IndexError):
            raise BundleError(f"{config.file} of the model bundle is no classifier of its size.") from None
        labels, bias = len(self.known.ids), len(self.known.bias)
        if logits.shape != (labels,) or not np.isfinite(logits).all():
            raise BundleError(f"The model answers {logits.shape} logits for {labels} labels.")
        if bias != labels:
            raise BundleError(f"The model bundle has {bias} bias values for {labels} labels.")
        if config.other is not None and len(config.other.weights) != len(outputs.embedding):
            raise BundleError(
                f"The model bundle has {len(config.other.weights)} weights against other animals for "
                f"embeddings of {len(outputs.embedding)}."
            )
        if not agrees(logits, self.bundle.config.self_test.get("logits")):
            raise BundleError(
                "The model fails its self-test: it does not compute what it did when it was exported."
            )
        if self.detector is not None:
            self.detector.check(picture)


def agrees(logits: np.ndarray, expected: object) -> bool:
    """Return whether ``logits`` equal, within rounding, those that a self-test expects (None: anything)."""
    try:
        wanted = logits if expected is None else np.asarray(expected, np.float32)
    except (ValueError, TypeError):
        return False
    return wanted.shape == logits.shape and bool(np.allclose(logits, wanted, rtol=0.05, atol=0.05))


def self_test_picture(size: int) -> np.ndarray:
    """Return uint8 ``(size, size, 3)``: gradients and stripes, the same on every machine."""
    y, x = np.mgrid[:size, :size]
    stripes = ((x // 7 + y // 11) % 2) * 96
    return np.stack([(x * 255 // size), (y * 255 // size), 80 + stripes], axis=2).astype(np.uint8)
