"""Looks up which version gave an answer, which one learnt from a photo, and the gate's result for it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartbreed import feedback_loop
from smartbreed.dataset.accepted import LEARNT
from smartbreed.registry.model_source import order
from smartbreed.registry.release_history import Release, parse
from smartbreed.training_jobs.report import reports

if TYPE_CHECKING:
    from smartbreed.inference.bundle import Bundle
    from smartbreed.services import Services


@dataclass(frozen=True)
class Known:
    """The versions known to this installation.

    Attributes:
        names: version by revision.
        records: for each version, oldest first: its number, what it has learnt from, and what it was only
            evaluated on; see `parse_record`.
    """

    names: dict[str, str] = field(default_factory=dict)
    records: tuple[tuple[str, dict[str, str], dict[str, str]], ...] = ()

    def learnt(self, key: str, label: str) -> tuple[str, bool]:
        """Return the first version that knows a pet as that breed, and whether it was only evaluated on it.

        The version is empty if none does.

        Args:
            key: the pet's `sample_key`.
            label: id of the breed.
        """
        for version, samples, held_out in self.records:
            if label in (samples.get(key), held_out.get(key)):
                return version, samples.get(key) != label
        return "", False


@dataclass(frozen=True)
class GateSummary:
    """The gate's result for a version.

    Attributes:
        release: the version's release.
        sentences: the gate's sentences, one per check; empty if the report is not on this machine.
        photos: number of accepted photos that it was evaluated on; 0 if unknown.
    """

    release: Release
    sentences: tuple[str, ...] = ()
    photos: int = 0


def known_versions(services: Services, bundle: Bundle) -> Known:
    """Collect the versions from the releases, from what was served on this machine, and from ``bundle``.

    Args:
        bundle: the current model.
    """
    names = {one.revision: one.version for one in feedback_loop.releases(services)}
    folders = {bundle.version.revision: (bundle.version.version, bundle.folder)}
    model = services.model
    for good in model.state.read(model.source.key).known_good:
        names.setdefault(good.revision, good.version)
        if good.folder:
            folders.setdefault(good.revision, (good.version, services.settings.home_dir / good.folder))
    names[bundle.version.revision] = bundle.version.version
    found = [(version, *parse_record(_read(folder))) for version, folder in folders.values()]
    return Known(names, tuple(sorted(found, key=lambda record: order(record[0]))))


def parse_record(text: bytes | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return breed ids by `sample_key`: those that a version has learnt from, and was only evaluated on."""
    values = parse(text)
    return _labels(values.get("samples")), _labels(values.get("held_out"))


def gate_summary_of(services: Services, version: str) -> GateSummary | None:
    """Return the gate's result for a released version; None if the version is unknown."""
    release = next((one for one in feedback_loop.releases(services) if one.version == version), None)
    if release is None:
        return None
    for report in reports(services.settings.home_dir):
        values = report.values
        if values.get("version") == version and values.get("published") is True:
            return GateSummary(release, _sentences(values.get("checks")), _photos(values))
    return GateSummary(release)


def _labels(part: object) -> dict[str, str]:
    return {str(key): str(label) for key, label in part.items()} if isinstance(part, dict) else {}


def _read(folder: Path) -> bytes | None:
    with suppress(OSError):
        return (folder / LEARNT).read_bytes()
    return None


def _sentences(checks: object) -> tuple[str, ...]:
    found = (
        [one.get("sentence") for one in checks if isinstance(one, dict)] if isinstance(checks, list) else []
    )
    return tuple(sentence[:600] for sentence in found if isinstance(sentence, str))


def _photos(values: dict[str, Any]) -> int:
    history = values.get("history")
    last = history[-1] if isinstance(history, list) and history and isinstance(history[-1], dict) else {}
    count = last.get("flagged_samples")
    return count if isinstance(count, int) and count > 0 else 0
