"""Traces that the running app sends to a collector on a port, in OpenTelemetry's own format."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.clock import until
from support.processes import Server, run

Span = dict[str, Any]
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                sent = ExportTraceServiceRequest.FromString(body)
                for resource in sent.resource_spans:
                    about = {one.key: one.value.string_value for one in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        collector.spans += [as_dict(span, about) for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def named(self, name: str, trace: str) -> list[Span]:
        return [span for span in self.spans if span["name"] == name and span["trace"] == trace]


def as_dict(span: Any, about: dict[str, str]) -> Span:
    values = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
    return {
        "name": span.name, "trace": span.trace_id.hex(), "id": span.span_id.hex(), "kind": span.kind,
        "parent": span.parent_span_id.hex(), "values": values, "service": about["service.name"],
        "events": len(span.events), "ms": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
    }  # fmt: skip


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Server]:
    url = f"http://127.0.0.1:{collector.server_address[1]}"
    with Server(
        tmp_path_factory.mktemp("traced"), OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_BSP_SCHEDULE_DELAY="100"
    ) as server:
        yield server


def test_a_request_and_its_stages_are_one_trace(traced: Server, collector: Collector, photo: Path) -> None:
    parent = "b7ad6b7169203331"
    answer = httpx.post(
        traced.url + "api/identify", files={"photo": ("rex at home.jpg", photo.read_bytes())},
        headers={"traceparent": f"00-{TRACE}-{parent}-01", "X-Request-Id": "traced"}, timeout=60,
    )  # fmt: skip
    assert answer.status_code == 200
    until(lambda: collector.named("POST /api/identify", TRACE))
    [request] = collector.named("POST /api/identify", TRACE)
    assert (request["parent"], request["kind"], request["service"]) == (parent, 2, "smartbreed")
    assert request["values"] == {
        "http.request.method": "POST", "http.route": "/api/identify", "http.response.status_code": 200,
        "smartbreed.request_id": "traced",
    }  # fmt: skip
    [total] = collector.named("total", TRACE)
    assert total["parent"] == request["id"]
    for name in ("decode", "detect", "classify"):
        found = collector.named(name, TRACE)
        assert found
        assert {span["parent"] for span in found} == {total["id"]}
    assert request["ms"] >= total["ms"] >= collector.named("detect", TRACE)[0]["ms"] > 0


def test_several_photos_and_queued_events_stay_in_their_trace(
    traced: Server, collector: Collector, photos: list[Path]
) -> None:
    trace = TRACE[::-1]
    files = [("photos", (path.name, path.read_bytes())) for path in photos]
    parent = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert httpx.post(traced.url + "api/identify", files=files, headers=parent, timeout=60).status_code == 200
    until(lambda: len(collector.named("total", trace)) == len(photos))
    queued = TRACE[1:] + "1"
    client = Client(traced.url, verbose=False, headers={"traceparent": f"00-{queued}-b7ad6b7169203331-01"})
    client.predict(handle_file(photos[0]), api_name="/identify")
    until(lambda: collector.named("total", queued))
    assert collector.named("decode", queued)


def test_spans_hold_nothing_of_a_person_or_a_failure(traced: Server, collector: Collector) -> None:
    trace = TRACE[2:] + "22"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    files = {"photo": ("rex at home.jpg", b"no photo")}
    httpx.post(traced.url + "api/identify?mail=rex@example.org", files=files, headers=headers)
    httpx.get(traced.url + "nothing/rex@example.org", headers=headers)
    until(lambda: collector.named("GET other", trace) and collector.named("decode", trace))
    text = str(collector.spans)
    assert "rex" not in text
    assert {span["events"] for span in collector.spans} == {0}


@pytest.mark.parametrize(
    "changes", [{"OTEL_TRACES_EXPORTER": "zipkin"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}]
)
def test_what_is_not_here_is_refused(changes: dict[str, str]) -> None:
    import os

    script = "from smartbreed.web.api.tracing import start_tracing; start_tracing()"
    done = run(
        "-c", script, env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", **changes}
    )
    assert "SettingError" in done.stderr
    assert next(iter(changes)) in done.stderr


@pytest.mark.parametrize("changes", [{}, {"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}])
def test_without_being_asked_nothing_is_imported(changes: dict[str, str]) -> None:
    import os

    script = (
        "import sys; from smartbreed.web.api.tracing import start_tracing; "
        "assert start_tracing() is None; assert 'opentelemetry.sdk' not in sys.modules"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"} if changes else {}
    assert run("-c", script, env={**env, **endpoint, **changes}).returncode == 0
