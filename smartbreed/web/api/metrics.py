"""Prometheus metrics of this process, for ``/metrics``. They contain nothing about a photo or a person.

Every label has a bounded set of values: names of stages, routes and codes that the program defines.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from smartbreed import __version__, feedback_loop
from smartbreed.core import telemetry
from smartbreed.core.errors import SmartBreedError, StorageError
from smartbreed.core.telemetry import STAGES, Stage
from smartbreed.health import PARTS, Readiness
from smartbreed.inference.results import Failure, Identification
from smartbreed.statistics import usage
from smartbreed.statistics.drift import ALARM

if TYPE_CHECKING:
    from smartbreed.services import Services
    from smartbreed.statistics.report import ForMaintainers

#: Seconds between two computations of drift, which aggregate weeks of data.
_DRIFT_S = 60.0
#: Most distinct error codes; any further code is counted as `OTHER`.
_MOST_CODES = 200
#: Label for anything that has no label of its own.
OTHER = "other"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: Everything that this process counts.
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
_seconds = Histogram(
    "smartbreed_stage_seconds", "Time of one stage of an answer.", ["stage"], registry=REGISTRY,
    buckets=(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)  # fmt: skip
_photos = Counter("smartbreed_photos", "Photos answered.", ["interface"], registry=REGISTRY)
_pets = Counter("smartbreed_pets", "Pets answered, by verdict.", ["species", "verdict"], registry=REGISTRY)
_errors = Counter("smartbreed_errors", "Answers that are an error, by its code.", ["code"], registry=REGISTRY)
_requests = Counter(
    "smartbreed_http_requests", "HTTP requests by the template of their route.",
    ["method", "route", "status"], registry=REGISTRY,
)  # fmt: skip
_in_flight = Gauge(
    "smartbreed_http_requests_in_flight", "HTTP requests that are answered now.", registry=REGISTRY
)
_observers = {name: _seconds.labels(name).observe for name in STAGES}
_codes: set[str] = set()


def listen() -> None:
    """Start counting what the parts of this process report. Further calls do nothing."""
    if _observe not in telemetry.on_stage:
        telemetry.on_stage.append(_observe)
        telemetry.on_error.append(_count_error)
        usage.on_answer.append(_count_answer)


def _observe(name: Stage, seconds: float) -> None:
    _observers[name](seconds)


def _count_error(code: str) -> None:
    if code not in _codes:
        if len(_codes) >= _MOST_CODES:
            code = OTHER
        _codes.add(code)
    _errors.labels(code).inc()


def _count_answer(answer: Identification | Failure, interface: str) -> None:
    if isinstance(answer, Failure):
        _count_error(answer.error.code)
        return
    _photos.labels(interface).inc()
    for pet in answer.pets:
        _pets.labels(pet.species, pet.verdict).inc()


def method_name(method: str) -> str:
    """Return the method of a request, or `OTHER` for one that a client made up."""
    return method if method in _METHODS else OTHER


def request_begins() -> None:
    """Count a request as in flight."""
    _in_flight.inc()


def request_ends(method: str, route: str, status: int) -> None:
    """Count a request as done.

    Args:
        method: from `method_name`.
        route: path of a route in `smartbreed.web.api.access`, or `OTHER`.
        status: HTTP status; 0 if the client left before the answer began.
    """
    _in_flight.dec()
    _requests.labels(method, route, str(status)).inc()


class AppCollector(Collector):
    """Metrics that are not counted, but looked up when Prometheus scrapes.

    Args:
        services: of the app.
        readiness: the checks behind ``/readyz``.
        queue: gradio's event queue.
    """

    def __init__(self, services: Services, readiness: Readiness, queue: Any) -> None:
        self._services, self._readiness, self._queue = services, readiness, queue
        self._drift: list[GaugeMetricFamily] = []
        self._looked = -float("inf")

    def collect(self) -> Iterator[Any]:
        """Yield the metrics; if the database fails, those that need it are left out."""
        services = self._services
        version = services.identifier.bundle.version
        yield InfoMetricFamily("smartbreed_build", "The program.", {"version": __version__})
        yield InfoMetricFamily(
            "smartbreed_model", "The model in use.",
            {"version": version.version, "revision": version.revision, "repo": version.repo},
        )  # fmt: skip
        missing = self._readiness.missing()
        yield _gauge(
            "smartbreed_ready", "Whether a part is there: 1 or 0.", "part",
            ((part, part not in missing) for part in PARTS),
        )  # fmt: skip
        events = sum(len(one.queue) for one in list(self._queue.event_queue_per_concurrency_id.values()))
        photos = services.admission.ordinary.waiting + services.admission.large.waiting
        yield _gauge(
            "smartbreed_queue_length", "Waiting now: page events, and photos that need memory.", "queue",
            (("events", events), ("photos", photos)),
        )  # fmt: skip
        held = GaugeMetricFamily("smartbreed_photo_memory_bytes", "Memory reserved for photos in work.")
        held.add_metric([], services.admission.held)
        yield held
        with suppress(StorageError):
            status = services.publishing()
            yield _gauge(
                "smartbreed_outbox_rows", "Rows waiting to be published or removed.", "kind",
                (("flags", status.waiting), ("decisions", status.decisions), ("removals", status.to_remove),
                 ("parked", status.parked)),
            )  # fmt: skip
        yield from self._of_drift()

    def _of_drift(self) -> list[GaugeMetricFamily]:
        if time.monotonic() - self._looked >= _DRIFT_S:
            with suppress(SmartBreedError):
                found = feedback_loop.statistics_for_maintainers(self._services)
                alarm = GaugeMetricFamily(
                    "smartbreed_drift_alarm",
                    "1 if recent photos differ from those of the evaluation, or other breeds are sent.",
                )
                alarm.add_metric([], found.alarm)
                index = _gauge(
                    "smartbreed_drift_index", "Population stability index, once known.", "what",
                    ((what, index) for what, index, _ in _shifts(found)),
                )  # fmt: skip
                limit = _gauge(
                    "smartbreed_drift_limit", "Population stability index that raises the alarm.", "what",
                    ((what, limit) for what, _, limit in _shifts(found)),
                )  # fmt: skip
                self._drift, self._looked = [alarm, index, limit], time.monotonic()
        return self._drift


def _shifts(found: ForMaintainers) -> list[tuple[str, float, float]]:
    """Return what is compared, its drift index, and the index from which the alarm is raised."""
    shifts = [(one.what, one.index, ALARM) for one in found.drift if one.index is not None]
    mix = found.mix
    if mix.index is not None and mix.alarm_from is not None:
        return [*shifts, ("breeds", mix.index, mix.alarm_from)]
    return [*shifts]


def _gauge(name: str, words: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family
