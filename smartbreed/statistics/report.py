"""The statistics of the served model, as plain values: its evaluation, and its use and feedback here."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.orm import Session

from smartbreed.breeds.catalogue import get_breed
from smartbreed.core.database import Sessions, read
from smartbreed.dataset.tables import Shard
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.evaluation import Evaluation, ReliabilityBin, evaluation_of
from smartbreed.inference.labels import Labels
from smartbreed.registry.release_history import Release
from smartbreed.statistics.breed_mix import OTHERS, BreedMix, compared_mix, split
from smartbreed.statistics.drift import Baseline, Drift, compared
from smartbreed.statistics.tables import FlagCount, UsageCount
from smartbreed.statistics.usage import EVER, INTERFACES, LATENCIES, MANY, SLOWER

#: Number of recent days for which use is listed, and in which drift is looked for.
DAYS, DRIFT_DAYS = 90, 28
#: A breed that was named or flagged fewer times is not listed, since that could reveal one person's photo.
LEAST_SEEN = 5
#: Verdicts of flags that call an answer right, and those that call it wrong.
RIGHT, WRONG = ("correct",), ("wrong", "not_a_pet")

Rate = float | None
_Model = TypeVar("_Model", bound=BaseModel)


class BreedFigures(BaseModel):
    """How well one breed is named; shares 0…1."""

    id: str
    name: str
    species: str
    group: str = Field(description="Name of its family; empty if it has none.")
    pictures: int = Field(description="Test pictures that show it.")
    precision: float
    recall: float
    f1: float
    abstained: Rate = Field(description="Pictures for which no breed was likely enough to be named.")
    f1_before: Rate = Field(description="F1 of the version before, on its own test pictures.")


class Confusion(BaseModel):
    """Pictures of one breed for which the first guess was another breed."""

    breed: str
    breed_name: str
    said: str
    said_name: str
    pictures: int
    of: int = Field(description="Test pictures of the breed.")


class Point(BaseModel):
    """Accuracy on pictures that are degraded with one strength."""

    strength: float
    right: Rate = Field(description="Share whose first guess is right.")
    named: Rate = Field(description="Share for which a breed is named.")


class Curve(BaseModel):
    """Accuracy by the strength of one kind of degradation, such as blur."""

    trouble: str
    unit: str
    points: list[Point]


class Threshold(BaseModel):
    """The effect of a threshold: a breed is named only if its probability reaches it."""

    threshold: float
    answered: float
    right: Rate
    chosen: bool


class Measured(BaseModel):
    """The evaluation on pictures that the model was not trained on."""

    version: str = Field(description="The version evaluated; a retrained head keeps its parent's figures.")
    date: dt.date | None
    data: str
    pictures: int
    right: Rate = Field(description="Share of pictures whose first guess is right.")
    right_interval: tuple[float, float] | None = Field(description="95 % confidence interval of `right`.")
    right_in_3: Rate
    right_in_5: Rate
    precision: Rate = Field(description="Mean over the breeds, like recall and f1.")
    recall: Rate
    f1: Rate
    calibration_error: Rate = Field(description="Expected calibration error, 15 bins.")
    said_breed: Rate = Field(description="Share of pictures for which a breed is named.")
    said_breed_right: Rate
    said_group: Rate
    said_group_right: Rate
    said_unknown: Rate
    breeds: list[BreedFigures]
    confusions: list[Confusion] = Field(description="Most pictures first.")
    reliability: list[ReliabilityBin]
    thresholds: list[Threshold]
    robustness: list[Curve]
    robustness_pictures: int
    robustness_clean: Rate


class VersionFigures(BaseModel):
    """One version: its metrics and its use here."""

    version: str
    released: dt.date | None
    breeds: int
    learnt: list[str]
    right: Rate = Field(description="Share of the public test pictures named correctly.")
    gate: Rate = Field(description="Share of the gate's pictures named correctly.")
    calibration_error: Rate
    serves: bool
    refused: bool
    photos: int = Field(description="Photos it has answered here.")
    agreed: int = Field(description="Number of its answers that people called right.")
    disagreed: int = Field(description="Number of its answers that people called wrong.")


class DayUse(BaseModel):
    """The use on one day, UTC."""

    day: dt.date
    photos: int
    pets: int


class Named(BaseModel):
    """A count, with its key and its name for people."""

    key: str
    name: str
    number: int


class Use(BaseModel):
    """The answers given here, all versions together."""

    since: dt.date | None
    photos: int
    days: list[DayUse] = Field(description=f"The last {DAYS} days, without the days that had no photos.")
    pets: list[Named] = Field(description="Photos by the number of pets found.")
    verdicts: list[Named]
    species: list[Named]
    breeds: list[Named] = Field(description=f"Breeds named at least {LEAST_SEEN} times, most frequent first.")
    latency: list[Named] = Field(description="Photos by latency; names are upper bounds in milliseconds.")
    median_ms: float | None = Field(description="Approximate median latency in milliseconds.")
    slow_ms: float | None = Field(description="Approximate 95th percentile of the latency in milliseconds.")


class Agreement(BaseModel):
    """How often people called the answers about one breed right and wrong."""

    breed: str
    name: str
    right: int
    wrong: int

    @property
    def rate(self) -> float:
        return self.right / (self.right + self.wrong)


class VersionAgreement(Agreement):
    """How often people called one version's answers about one breed right and wrong."""

    version: str


class Feedback(BaseModel):
    """What people said about the answers, without withdrawn flags."""

    right: int
    wrong: int
    missed: int
    unsure: int
    breeds: list[Agreement] = Field(description=f"Breeds with at least {LEAST_SEEN} answers, most first.")
    versions: list[VersionAgreement] = Field(
        default=[],
        description="By breed and version, with the same minimum; ordered like `breeds`.",
    )


class Growth(BaseModel):
    """Totals of saved and published flags at the end of a day on which either grew."""

    day: dt.date
    flags: int = Field(description="Answers saved here up to then and not withdrawn.")
    published: int = Field(description="Number of these that are in the dataset.")


class Report(BaseModel):
    """The statistics that everyone may see; they contain nothing from a photo or about a person."""

    version: str
    measured: Measured | None
    versions: list[VersionFigures] = Field(description="Newest first.")
    use: Use
    feedback: Feedback
    growth: list[Growth]


class ForMaintainers(BaseModel):
    """Statistics for maintainers only: they would tell an attacker what is noticed and what is refused."""

    drift: list[Drift]
    mix: BreedMix
    names: dict[str, str] = Field(description="Names of the breeds in the mix, by id.")
    alarm: bool
    interfaces: list[Named]
    failures: list[Named]


def report(
    sessions: Sessions, bundle: Bundle, releases: Sequence[Release], before: Bundle | None, today: dt.date
) -> Report:
    """Return the statistics that everyone may see.

    Args:
        sessions: sessions of the database.
        bundle: the bundle in use.
        releases: all versions known here, newest first.
        before: the bundle of the previous version; None if its files are not here.
        today: the last day to list, UTC.

    Raises:
        StorageError: the database refused.
    """
    revisions = {one.revision: one.version for one in releases}
    labels = Labels(bundle.config.classifier)
    names = {breed.id: breed.name for breed in labels.breeds}
    with read(sessions) as session:
        counts = _totals(session)
        flags = _flags(session)
        feedback, by_version = _feedback(flags, revisions, names)
        return Report(
            version=bundle.config.version,
            measured=measured(bundle, before),
            versions=_versions(session, releases, by_version),
            use=_use(session, counts, names, today),
            feedback=feedback,
            growth=_growth(session),
        )


def for_maintainers(sessions: Sessions, baseline: Baseline, today: dt.date) -> ForMaintainers:
    """Return the statistics that only maintainers may see.

    Raises:
        StorageError: the database refused.
    """
    with read(sessions) as session:
        counts = _totals(session)
        drift = [
            compared(
                "confidence", baseline.confidences, _recent(session, baseline.version, "confidence", today)
            ),
            compared("likeness", baseline.likenesses, _recent(session, baseline.version, "likeness", today)),
        ]
        mix = _mix(session, baseline.version, today)
    return ForMaintainers(
        drift=drift,
        mix=mix,
        names={breed: get_breed(breed).name for breed in mix.breeds if breed != OTHERS},
        alarm="alarm" in (mix.state, *(one.state for one in drift)),
        interfaces=_named(counts["photo"], INTERFACES),
        failures=_named(counts["failed"], {}),
    )


def measured(bundle: Bundle, before: Bundle | None) -> Measured | None:
    """Return the evaluation of a bundle, or of the ancestor it descends from; None if there is none."""
    evaluation = evaluation_of(bundle)
    if evaluation is None:
        return None
    earlier = evaluation_of(before) if before else None
    metrics = bundle.config.metrics
    ancestor = metrics.get("ancestor")
    if evaluation.version != bundle.config.version and isinstance(ancestor, dict):
        metrics = {**ancestor, **metrics}
    known = _part(metrics, "classifier")
    robustness = _part(metrics, "robustness")
    interval = known.get("top1_interval")
    named = sum(row.get(breed, 0) for breed, row in evaluation.confusion.items())
    right = _share(known.get("top1"))
    if right is None and evaluation.confusion:
        right = named / max(evaluation.pictures, 1)
    labels = list(evaluation.labels.values())
    return Measured(
        version=evaluation.version,
        date=evaluation.date,
        data=evaluation.data,
        pictures=evaluation.pictures,
        right=right,
        right_interval=(interval[0], interval[1])
        if isinstance(interval, list) and len(interval) == 2
        else None,
        right_in_3=_share(known.get("top3")),
        # With five labels or fewer, one of five guesses is always right.
        right_in_5=_share(known.get("top5")) if len(labels) > 5 else None,
        precision=_mean([one.precision for one in labels]),
        recall=_mean([one.recall for one in labels]),
        f1=_mean([one.f1 for one in labels]),
        calibration_error=_share(known.get("ece")),
        said_breed=_share(known.get("said_breed")),
        said_breed_right=_share(known.get("said_breed_right")),
        said_group=_share(known.get("said_group")),
        said_group_right=_share(known.get("said_group_right")),
        said_unknown=_share(known.get("said_unknown")),
        breeds=_breeds(
            bundle, evaluation, earlier if earlier and earlier.version != evaluation.version else None
        ),
        confusions=_confusions(bundle, evaluation),
        reliability=list(evaluation.reliability),
        thresholds=_valid(Threshold, metrics.get("thresholds")),
        robustness=_curves(robustness),
        robustness_pictures=_count(robustness.get("pictures")),
        robustness_clean=_share(robustness.get("clean")),
    )


def _breeds(bundle: Bundle, evaluation: Evaluation, earlier: Evaluation | None) -> list[BreedFigures]:
    labels = Labels(bundle.config.classifier)
    known = {breed.id: breed for breed in labels.breeds}
    found = []
    for label, one in evaluation.labels.items():
        breed = known.get(label) or get_breed(label)
        old = earlier.labels.get(label) if earlier else None
        found.append(
            BreedFigures(
                id=label, name=breed.name, species=breed.species, pictures=one.pictures,
                group=labels.group_name(breed.group) if breed.group else "",
                precision=one.precision, recall=one.recall, f1=one.f1, abstained=one.abstained,
                f1_before=old.f1 if old else None,
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (one.name.casefold(), one.id))


def _confusions(bundle: Bundle, evaluation: Evaluation) -> list[Confusion]:
    names = {breed.id: breed.name for breed in Labels(bundle.config.classifier).breeds}

    def name(breed: str) -> str:
        return names.get(breed) or get_breed(breed).name

    found = [
        Confusion(
            breed=breed, breed_name=name(breed), said=said, said_name=name(said), pictures=number,
            of=sum(row.values()),
        )
        for breed, row in evaluation.confusion.items()
        for said, number in row.items()
        if said != breed and number
    ]  # fmt: skip
    return sorted(
        found, key=lambda one: (-one.pictures, -one.pictures / one.of, one.breed_name, one.said_name)
    )


def _curves(robustness: Mapping[str, Any]) -> list[Curve]:
    curves = []
    for trouble, curve in _part(robustness, "curves").items():
        if isinstance(curve, dict):
            points = [
                {"strength": one.get("strength"), "right": one.get("top1"), "named": one.get("named")}
                for one in curve.get("points", [])
                if isinstance(one, dict)
            ]
            if found := _valid(Point, points):
                curves.append(
                    Curve(trouble=trouble[:40], unit=str(curve.get("unit", ""))[:120], points=found)
                )
    return curves


def _versions(
    session: Session, releases: Sequence[Release], flags: Mapping[str, tuple[int, int]]
) -> list[VersionFigures]:
    query = (
        sa.select(UsageCount.version, sa.func.sum(UsageCount.number))
        .where(UsageCount.day == EVER, UsageCount.kind == "photo")
        .group_by(UsageCount.version)
    )
    photos = {version: int(number) for version, number in session.execute(query)}
    return [
        VersionFigures(
            version=one.version, released=one.released_at.date() if one.released_at else None,
            breeds=one.breeds, learnt=list(one.learnt), right=one.public, gate=one.gate,
            calibration_error=one.ece, serves=one.served, refused=bool(one.bad),
            photos=photos.pop(one.version, 0), agreed=flags.get(one.version, (0, 0))[0],
            disagreed=flags.get(one.version, (0, 0))[1],
        )
        for one in releases
    ]  # fmt: skip


def _totals(session: Session) -> dict[str, Counter[str]]:
    query = (
        sa.select(UsageCount.kind, UsageCount.key, sa.func.sum(UsageCount.number))
        .where(UsageCount.day == EVER)
        .group_by(UsageCount.kind, UsageCount.key)
    )
    found: dict[str, Counter[str]] = {
        kind: Counter()
        for kind in ("photo", "failed", "pets", "verdict", "species", "breed", "latency", "whole")
    }
    for kind, key, number in session.execute(query):
        found.setdefault(kind, Counter())[key] = int(number)
    return found


def _use(session: Session, counts: dict[str, Counter[str]], names: Mapping[str, str], today: dt.date) -> Use:
    query = (
        sa.select(UsageCount.day, UsageCount.kind, sa.func.sum(UsageCount.number))
        .where(UsageCount.kind.in_(("photo", "verdict")), UsageCount.day > today - dt.timedelta(days=DAYS))
        .group_by(UsageCount.day, UsageCount.kind)
    )
    days: dict[dt.date, Counter[str]] = {}
    for day, kind, number in session.execute(query):
        days.setdefault(day, Counter())[kind] = int(number)
    since = session.scalar(sa.select(sa.func.min(UsageCount.day)).where(UsageCount.day > EVER))
    pets = {str(number): f"{number or 'none'}" for number in range(MANY)} | {str(MANY): f"{MANY} or more"}
    bounds = {str(bound): f"at most {bound} ms" for bound in LATENCIES} | {SLOWER: f"over {LATENCIES[-1]} ms"}
    verdicts = {"breed": "a breed", "group": "a family of breeds", "unknown": "neither"}
    seen = Counter({breed: number for breed, number in counts["breed"].items() if number >= LEAST_SEEN})
    return Use(
        since=since,
        photos=counts["photo"].total(),
        days=[DayUse(day=day, photos=one["photo"], pets=one["verdict"]) for day, one in sorted(days.items())],
        pets=_in_order(counts["pets"], pets),
        verdicts=_in_order(counts["verdict"], verdicts),
        species=_in_order(counts["species"], {"dog": "dogs", "cat": "cats", "": "others"}),
        breeds=[
            Named(key=breed, name=names.get(breed) or get_breed(breed).name, number=number)
            for breed, number in sorted(seen.items(), key=lambda one: (-one[1], one[0]))
        ],
        latency=_in_order(counts["latency"], bounds),
        median_ms=_quantile(counts["latency"], 0.5),
        slow_ms=_quantile(counts["latency"], 0.95),
    )


def _quantile(latency: Counter[str], share: float) -> float | None:
    """Return the smallest latency bound, in ms, that covers a share of the photos; None if none does."""
    wanted, passed = share * latency.total(), 0
    for bound in LATENCIES:
        passed += latency[str(bound)]
        if passed and passed >= wanted:
            return float(bound)
    return None


def _flags(session: Session) -> list[tuple[str, str, str, int]]:
    columns = (FlagCount.revision, FlagCount.predicted, FlagCount.verdict)
    query = sa.select(*columns, sa.func.sum(FlagCount.number)).group_by(*columns)
    return [(revision, breed, verdict, int(n)) for revision, breed, verdict, n in session.execute(query)]


def _feedback(
    flags: Sequence[tuple[str, str, str, int]], revisions: Mapping[str, str], names: Mapping[str, str]
) -> tuple[Feedback, dict[str, tuple[int, int]]]:
    verdicts: Counter[str] = Counter()
    breeds: dict[str, Counter[bool]] = {}
    versions: dict[str, Counter[bool]] = {}
    both: dict[tuple[str, str], Counter[bool]] = {}
    for revision, breed, verdict, number in flags:
        verdicts[verdict] += number
        if verdict in RIGHT or verdict in WRONG:
            version = revisions.get(revision, revision)
            versions.setdefault(version, Counter())[verdict in RIGHT] += number
            if breed:
                breeds.setdefault(breed, Counter())[verdict in RIGHT] += number
                both.setdefault((breed, version), Counter())[verdict in RIGHT] += number
    enough = {breed: one for breed, one in breeds.items() if one.total() >= LEAST_SEEN}
    found = [
        Agreement(
            breed=breed, name=names.get(breed) or get_breed(breed).name, right=one[True], wrong=one[False]
        )
        for breed, one in sorted(enough.items(), key=lambda one: (-one[1].total(), one[0]))
    ]
    feedback = Feedback(
        right=sum(verdicts[one] for one in RIGHT),
        wrong=sum(verdicts[one] for one in WRONG),
        missed=verdicts["missed"],
        unsure=verdicts["unsure"],
        breeds=found,
        versions=[
            VersionAgreement(
                breed=one.breed, name=one.name, version=version, right=some[True], wrong=some[False]
            )
            for one in found
            for (breed, version), some in sorted(both.items(), reverse=True)
            if breed == one.breed and some.total() >= LEAST_SEEN
        ],
    )
    return feedback, {version: (one[True], one[False]) for version, one in versions.items()}


def _growth(session: Session) -> list[Growth]:
    added = sa.select(FlagCount.day, sa.func.sum(FlagCount.number)).group_by(FlagCount.day)
    flags = {day: int(number) for day, number in session.execute(added)}
    shards = sa.select(Shard.published_at, Shard.rows).where(
        Shard.config == "flags", Shard.state == "published"
    )
    published: Counter[dt.date] = Counter()
    for moment, rows in session.execute(shards):
        if moment is not None:
            published[moment.date()] += rows
    found, saved, there = [], 0, 0
    for day in sorted(flags.keys() | published.keys()):
        saved, there = saved + flags.get(day, 0), there + published[day]
        found.append(Growth(day=day, flags=saved, published=there))
    return found


def _recent(session: Session, version: str, kind: str, today: dt.date) -> dict[str, int]:
    query = (
        sa.select(UsageCount.key, sa.func.sum(UsageCount.number))
        .where(
            UsageCount.day > today - dt.timedelta(days=DRIFT_DAYS),
            UsageCount.version == version,
            UsageCount.kind == kind,
        )
        .group_by(UsageCount.key)
    )
    return {key: int(number) for key, number in session.execute(query)}


def _mix(session: Session, version: str, today: dt.date) -> BreedMix:
    said = (UsageCount.version == version, UsageCount.kind == "breed", UsageCount.day > EVER)
    first = session.scalar(sa.select(sa.func.min(UsageCount.day)).where(*said)) or today
    end, recent, last = split(first, today)
    query = sa.select(UsageCount.day, UsageCount.key, UsageCount.number).where(
        *said, sa.or_(UsageCount.day < end, UsageCount.day.between(recent, last))
    )
    counts = {(day, breed): int(number) for day, breed, number in session.execute(query)}
    return compared_mix(counts, first, today)


def _in_order(counts: Counter[str], names: Mapping[str, str]) -> list[Named]:
    return [Named(key=key, name=name, number=counts[key]) for key, name in names.items() if counts[key]]


def _named(counts: Counter[str], names: Mapping[str, str]) -> list[Named]:
    return [
        Named(key=key, name=names.get(key, key), number=number)
        for key, number in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]


def _part(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _valid(model: type[_Model], values: object) -> list[_Model]:
    """Return the list items that match the model; a bundle from elsewhere may contain anything."""
    found = []
    for value in values if isinstance(values, list) else []:
        with suppress(ValidationError):
            found.append(model.model_validate(value))
    return found


def _share(value: object) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= 1 else None  # type: ignore[arg-type, operator]


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
