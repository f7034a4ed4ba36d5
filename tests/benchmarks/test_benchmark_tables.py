"""What the benchmarks make of their figures, and each of them run in small by the real command."""

from __future__ import annotations

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from support.photos import pet_scenes, pets
from support.processes import run

from benchmarks import arithmetic, clients, growth, identify, load, networks, round_trip, sides, start
from benchmarks.__main__ import TABLES, options
from benchmarks.bare import inputs_of, invoker
from benchmarks.clients import Load
from benchmarks.conditions import Conditions, noted
from benchmarks.photographs import photographs
from benchmarks.sheet import Sheet
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.bundle import load_bundle
from smartbreed.inference.pipeline import Identifier


def test_a_table_is_printed_and_is_markdown() -> None:
    sheet = Sheet("Cost", ("", "ms", "a|b"), notes=["The goal is far."], conditions="Today.")
    sheet.add("one", "1", "x|y")
    with pytest.raises(ValueError, match="2 cells"):
        sheet.add("two", "2")
    console = Console(file=io.StringIO(), width=80)
    sheet.show(console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(words in printed for words in ("Cost", "one", "x|y", "The goal is far.", "Today."))
    assert sheet.markdown().splitlines() == [
        "Cost", "", "|  | ms | a\\|b |", "| --- | --: | --: |", "| one | 1 | x\\|y |", "", "The goal is far.",
        "", "Today.",
    ]  # fmt: skip


def test_conditions_stand_under_each_table() -> None:
    sheets = [Sheet("a", ("",)), Sheet("b", ("",))]
    with noted(sheets):
        sum(range(10**6))
    assert all("cores" in sheet.conditions and "load" in sheet.conditions for sheet in sheets)
    assert "UTC" in str(Conditions())


def test_sides_take_turns_from_both_ends() -> None:
    seen: list[str] = []
    found = sides.in_turns(
        {name: lambda name=name: seen.append(name) or {"n": len(seen)} for name in "ab"},
        3,
        "test",  # type: ignore[misc]
    )
    assert "".join(seen) == "abbaab"
    assert [one["n"] for one in found["a"]] == [1, 4, 5]


def test_a_side_that_fails_says_why() -> None:
    with pytest.raises(sides.SideFailed, match="no_such_side"):
        sides.run_side("batch", "no_such_side", ["--data", "."])


def test_a_ratio_is_that_of_each_round() -> None:
    # In the second round the machine was ten times slower: the quotient of the medians would be 1.
    assert sides.ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0]) == 2
    assert sides.ratio([2.0, 20.0], [1.0, 10.0]) == 2
    assert np.isnan(sides.median([]))


def test_verdicts_name_figure_and_goal() -> None:
    empty, ours = (
        [{"seconds": 2.0, "cpu": 1.0, "megabytes": 200.0}],
        [{"seconds": 3.0, "cpu": 1.2, "megabytes": 350.0}],
    )
    assert "1.50 times the start of the empty app, 1.20 times its CPU time" in start.verdict(empty, ours)
    assert "+150 MB" in start.verdict(empty, ours)
    assert "-0.30 MB in 1,000 requests: flat" in load.growth([100.0, 300.0, 300.0, 294.0], 10_000)
    assert "+15.00 MB in 1,000 requests: not flat" in load.growth([100.0, 300.0, 310.0, 330.0], 1_000)
    found = {"echo": [1.0, 1.0], "path": [2.0, 2.0], "rest": [3.0, 3.0]}
    assert round_trip.in_paths(found, "rest") == 1


def test_the_table_of_clients() -> None:
    def found(rate: float, errors: dict[str, int]) -> dict[str, Any]:
        waits = dict.fromkeys(("p50", "p95", "p99"), 10.0)
        return {
            **waits, "rate": rate, "errors": errors, "seconds": 2.0, "server_cpu": 3.0, "cpu": 1.0,
            "peak": 300.0,
        }  # fmt: skip

    sheet = Sheet("Clients", tuple("abcdefghij"))
    load.fill(sheet, {1: [found(20, {})], 200: [found(30, {"503": 2}), found(50, {"503": 1})]}, [40.0, 60.0])
    assert sheet.rows[0] == ("1", "20", "40%", "10", "10", "10", "0", "300", "1.5", "0.5")
    assert sheet.rows[1][1:3] == ("40", "80%")
    assert sheet.rows[1][6] == "3 × 503"
    assert "With 200 clients 80% of a batch" in sheet.notes[0]


def test_what_clients_count() -> None:
    one = Load([b"a", b"b"], clients=1, seconds=60, requests=4)
    assert [one.next_photo() for _ in range(3)] == [b"a", b"b", b"a"]
    for status, body in ((200, {"pets": []}), (200, {}), (503, {}), (0, {})):
        assert not one.over
        one.answered(0.0, status, lambda body=body: body)  # type: ignore[misc]
    assert one.over
    assert one.found()["answers"] == 4
    assert one.errors == {"no pets": 1, "503": 1, "no answer": 1}
    warming = Load([b"a"], clients=1, seconds=60, warm=60)
    warming.answered(0.0, 500, dict)
    assert warming.found()["answers"] == 0


@pytest.mark.parametrize("using", list(clients.ASKERS))
def test_clients_ask_until_they_have_enough(using: str, tmp_path: Path) -> None:
    # Importing it here would put gevent's sockets and threads into all tests of this process.
    if using == "locust" and find_spec("locust") is None:
        pytest.skip("the extra bench is not installed")
    seen: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            seen.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = (503, b"{}") if len(seen) % 4 == 0 else (200, b'{"pets": []}')
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    # No dataset there: the photographs are drawn.
    done = run(
        "-m", "benchmarks.clients", url, "--clients=3", "--seconds=280", "--requests=40", "--photos=2",
        f"--data={tmp_path}", f"--using={using}",
    )  # fmt: skip
    server.shutdown()
    server.server_close()
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert 40 <= found["answers"] <= 43, "each of three may have one more under way"
    assert set(found["errors"]) == {"503"}
    assert found["p50"] <= found["p95"] <= found["p99"]
    assert {path for path, _ in seen} == {"/api/identify"}
    assert {photo for _, photo in seen} == set(photographs(str(tmp_path), 2))


def test_multiply_adds_of_networks() -> None:
    assert arithmetic.macs(arithmetic.product_file("float32", 16)) == {"float32": {"dense layers": 16**3}}
    assert arithmetic.macs(arithmetic.product_file("int8", 8)) == {"int8": {"dense layers": 8**3}}
    found = arithmetic.macs((EMBEDDED_BUNDLE / "classifier.tflite").read_bytes())
    # EfficientNet-Lite2 takes 860 million at 260 pixels (its paper's table, for 1,000 classes).
    assert 7e8 < sum(sum(parts.values()) for parts in found.values()) < 9e8
    assert found["int8"]["convolutions"] > 5 * found["int8"]["depthwise convolutions"] > 0
    labels = len(load_bundle(EMBEDDED_BUNDLE).config.classifier.labels)
    assert found["float32"] == {"convolutions": 9 * 9 * 1280 * labels}, "the head"


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_a_product_of_matrices_runs(kind: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    side = 32
    interpreter = Interpreter(model_content=arithmetic.product_file(kind, side))
    interpreter.allocate_tensors()
    [given], [made] = interpreter.get_input_details(), interpreter.get_output_details()
    left = np.eye(side, dtype=given["dtype"]) * (1 if kind == "float32" else 100)
    interpreter.set_tensor(given["index"], left)
    interpreter.invoke()
    right = np.random.default_rng(1).integers(-9, 9, (side, side)).T
    # int8: 100 times 0.1 times what stands there times 0.1, in steps of 10.
    expected = right if kind == "float32" else np.round(right * 100 * 0.01 / 10)
    assert np.abs(interpreter.get_tensor(made["index"]) - expected).max() <= (kind == "int8")


def test_answers_that_differ_are_seen() -> None:
    chance = np.random.default_rng(0)
    ours = [chance.normal(size=(1, 50)), chance.normal(size=(1, 7, 7))]
    assert networks.likeness(ours, [ours[1], ours[0] * 2]) == pytest.approx(1)
    assert networks.likeness(ours, [ours[0], ours[1] + 2 * chance.normal(size=(1, 7, 7))]) < networks.ALIKE
    assert networks.likeness(ours, [ours[0]]) == 0


@pytest.mark.parametrize("network", networks.NETWORKS)
def test_a_network_of_batches_answers_each_picture_alike(network: str, tmp_path: Path) -> None:
    content = (EMBEDDED_BUNDLE / f"{network}.tflite").read_bytes()
    for batch in (1, 3):
        networks.file_of(tmp_path, network, batch).write_bytes(arithmetic.with_batch(content, batch))
    one, three = (networks.file_of(tmp_path, network, batch) for batch in (1, 3))
    pixels = networks.pixels_for(three)
    assert len(pixels) == 3
    assert not np.array_equal(pixels[0], pixels[1])
    together, alone = networks.litert(three, 1)(pixels), networks.litert(one, 1)
    for number in range(3):
        for output, same in zip(alone(pixels[number : number + 1]), together, strict=True):
            assert np.allclose(output[0], same[number], atol=1e-4)


def test_rows_of_networks_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(networks.ENGINES, "openvino", ("OpenVINO", ("no_such_package",)))
    assert networks.missing("openvino") == ["no_such_package"]
    assert networks.missing("litert") == []
    keys = [f"{network} {batch}" for network in networks.NETWORKS for batch in (1, 8)]
    good = {"times": {key: [9.0, 8.0] for key in keys}, "alike": 0.999}
    results: dict[str, list[dict[str, Any]]] = {}
    for threads in networks.THREADS:
        results[f"litert {threads}"] = [good]
        results[f"onnxruntime {threads}"] = [{**good, "alike": 0.5}]
        results[f"openvino {threads}"] = [{"failed": "it broke"}]
    results["floor"] = [{"float32": 1e11, "int8": 4e11}, {"float32": 0.9e11, "int8": 2e11}]
    work = {"int8": {"convolutions": 4 * 10**8}, "float32": {"dense layers": 10**8}}
    sheet = Sheet("classifier", networks._headings((1, 8)))
    networks.fill(sheet, "classifier", ["litert", "onnxruntime", "openvino"], results, (1, 8), work)
    assert sheet.rows == [
        ("LiteRT (what ships)", *["9.0 · 8.0"] * 4),
        ("arithmetic floor", *["2.0 · 2.0"] * 2, *["1.0 · 2.0"] * 2),
        ("the same in float32 alone", *["5.0 · 5.0"] * 2, *["2.5 · 5.0"] * 2),
    ]
    said = " ".join(sheet.notes)
    assert "No row of ONNX Runtime: its answers are not LiteRT's (correlation 0.50)" in said
    assert "No row of OpenVINO: it broke" in said
    assert "4.0 times the floor" in said


def test_bare_networks_get_what_the_app_gives_them() -> None:
    identifier = Identifier(load_bundle(EMBEDDED_BUNDLE))
    photo = read_photo(pet_scenes(1)[0]["image"]["bytes"])
    given = inputs_of(identifier, photo)
    names = [name for name, _ in given]
    assert names[0] == "detector.tflite"
    assert "classifier.tflite" in names
    assert {image.shape for name, image in given if name == "detector.tflite"} == {(1, 300, 300, 3)}
    invoker(identifier, 1)(given)
    assert len(inputs_of(identifier, photo)) == len(given), "the network is as it was"


def test_photos_grow_and_hold_more_pets() -> None:
    data = pet_scenes(1)[0]["image"]["bytes"]
    assert read_photo(growth.enlarged(data, 2.0)).pixels.size == pytest.approx(6e6, rel=0.01)
    picture = read_photo(growth.mosaic([data], 5))
    assert (picture.width, picture.height) == (960, 640)


def test_a_model_of_more_breeds_names_the_same(tmp_path: Path) -> None:
    base = load_bundle(EMBEDDED_BUNDLE)
    own = len(base.config.classifier.labels)
    more = Identifier(growth.with_breeds(base, own + 30, tmp_path))
    assert len(more.labels) == own + 30
    photo = read_photo(pet_scenes(1)[0]["image"]["bytes"])
    pet, same = (one.identify(photo, whole=True).pets[0] for one in (more, Identifier(base)))
    assert np.abs(pet.logits[:own] - same.logits).max() < 0.05


def test_options_of_a_quick_run() -> None:
    assert options(identify, "here", True) == {**identify.QUICK, "data": "here"}
    assert options(start, "here", False) == {}


def test_an_unknown_table_is_refused() -> None:
    done = run("-m", "benchmarks", "--only", "start,nonsense")
    assert done.returncode == 2
    assert "nonsense" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_table_is_printed_by_a_quick_run(tmp_path: Path) -> None:
    done = run(
        "-m", "benchmarks", "--quick", "--data", pets(), "--markdown", tmp_path / "tables.md", timeout=1700
    )
    assert done.returncode == 0, done.stderr[-3000:]
    written = (tmp_path / "tables.md").read_text()
    for name in TABLES:
        assert f"`python -m benchmarks.{name}`: " in written
    for words in (
        "bare invoke of both networks",
        "LiteRT (what ships)",
        "smartbreed batch",
        "an empty Blocks app",
    ):
        assert words in done.stdout, words
        assert words in written, words
    assert written.count("cores (") == written.count("`python -m benchmarks."), "each has its conditions"
