"""OpenTelemetry traces of requests and stages, if the standard variables (``OTEL_…``) ask for them.

Otherwise nothing of OpenTelemetry is imported. The tracer provider is private to this module, not the
process-wide one: libraries that trace by themselves would otherwise export full URLs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smartbreed import __version__
from smartbreed.core import telemetry
from smartbreed.core.errors import SettingError
from smartbreed.web.api.client import calling_scope

#: Tracing starts if any of these variables is set.
_ASKING = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
_KEY = "smartbreed.trace"
#: Seconds to wait at shutdown until the last spans are exported.
_PATIENCE_S = 3.0


class Tracing:
    """Creates spans with one tracer provider.

    Args:
        provider: a ``TracerProvider`` of ``opentelemetry.sdk``.
    """

    def __init__(self, provider: Any) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider, self._trace = provider, trace
        self._tracer = provider.get_tracer("smartbreed", __version__)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, scope: Any, headers: Any, method: str, route: str) -> Iterator[Any]:
        """Open the span of a request, as a child of the span in its ``traceparent`` header.

        Args:
            scope: the ASGI scope. The span's context is kept in it, for the events that the request queues.
            headers: of the request.
            method, route: names from a bounded set, never the URL itself.
        """
        parent = self._propagator.extract(dict(headers))
        attributes = {"http.request.method": method, "http.route": route}
        with self._tracer.start_as_current_span(
            f"{method} {route}", parent, self._trace.SpanKind.SERVER, attributes, record_exception=False,
            set_status_on_exception=False,
        ) as span:  # fmt: skip
            scope[_KEY] = self._trace.set_span_in_context(span)
            yield span

    def stage(self, name: str) -> Any:
        """Open the span of a stage. It does not record what the stage raises."""
        # gradio's queue runs all events in the context of the request that started the queue, so the
        # current span may be that of another request. The event's own request is the right parent.
        parent = calling_scope().get(_KEY)
        if parent is not None and self._trace_of(parent) == self._trace_of(None):
            parent = None  # the enclosing stage, which is in the same trace, is the nearer parent
        return self._tracer.start_as_current_span(
            name, parent, record_exception=False, set_status_on_exception=False
        )

    def _trace_of(self, context: Any) -> int:
        return int(self._trace.get_current_span(context).get_span_context().trace_id)

    def answered(self, span: Any, status: int, request_id: str) -> None:
        """Record the status of the response, and the request id that its log lines carry."""
        span.set_attributes({"http.response.status_code": status, "smartbreed.request_id": request_id})
        if status >= 500:
            span.set_status(self._trace.StatusCode.ERROR)

    def stop(self) -> None:
        """Export the pending spans and stop tracing; wait at most `_PATIENCE_S` for the collector."""
        telemetry.spans.remove(self.stage)
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        last.join(_PATIENCE_S)


def start_tracing() -> Tracing | None:
    """Start tracing if the environment asks for it; otherwise return None.

    Raises:
        SettingError: the exporter or protocol is not supported, or the extra ``otel`` is not installed.
    """
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower()
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if not any(os.environ.get(name) for name in _ASKING) or disabled or exporter == "none":
        return None
    if exporter != "otlp":
        raise SettingError(f"OTEL_TRACES_EXPORTER: otlp or none. Received: {exporter!r}")
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next(filter(None, map(os.environ.get, names)), "http/protobuf")
    if protocol != "http/protobuf":
        raise SettingError(f"OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is here. Received: {protocol!r}")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise SettingError(
            f"OTEL_…: traces need the extra otel: pip install 'smartbreed[otel]' ({error.name} is missing)."
        ) from None
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "smartbreed"}
    resource = Resource.create({**named, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracing = Tracing(provider)
    telemetry.spans.append(tracing.stage)
    return tracing
