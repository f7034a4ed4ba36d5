"""Naming pets in the browser itself: the same answers as the server's, also without a connection."""

from __future__ import annotations

import base64
import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.photos import opened, pet_scenes
from support.processes import Server, smartbreed

from smartbreed import load
from smartbreed.core.errors import SmartBreedError
from smartbreed.inference.boxes import iou
from smartbreed.inference.picture_quality import faults_of
from smartbreed.inference.pixels import resample
from smartbreed.web.pages.offline import runtime

pytestmark = pytest.mark.browser
#: From this probability on, browser and server must agree closely: 8-bit kernels round differently on each.
SURE = 0.9


@pytest.fixture(scope="module", autouse=True)
def fetched() -> None:
    try:
        runtime.fetch()
    except SmartBreedError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("offline")) as server:
        yield server


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[str]:
    """Address of the page as a folder that any web server serves."""
    made = smartbreed(tmp_path, "offline", tmp_path / "site")
    assert made.returncode == 0, made.stderr
    again = smartbreed(tmp_path, "offline", tmp_path / "site")
    assert again.returncode == 2
    assert "not empty" in again.stderr
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def open_page(chromium: Any, address: str, **options: Any) -> Any:
    page = chromium.new_context(**options).new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("requestfailed", lambda request: page.faults.append(request.url))
    page.posts = []
    page.on("request", lambda request: request.method == "GET" or page.posts.append(request.url))
    page.goto(address)
    page.evaluate("document.addEventListener('identified', (event) => (window.said = event.detail))")
    return page


def identify(page: Any, path: Path) -> list[dict[str, Any]]:
    page.evaluate("window.said = null")
    page.set_input_files("#offline-file", str(path))
    page.wait_for_function(
        "window.said || document.querySelector('#offline-status.sb-problem')", timeout=120_000
    )
    said = page.evaluate("window.said")
    assert said is not None, page.inner_text("#offline-status")
    return list(said)


def test_the_browser_answers_as_the_server_does(chromium: Any, served: Server, tmp_path: Path) -> None:
    page, model = open_page(chromium, f"{served.url}offline"), load()
    for number, row in enumerate(pet_scenes(6)):
        path = tmp_path / f"{number}.png"
        opened(row).convert("RGB").save(path)
        answer, found = model.identify(str(path)), identify(page, path)
        assert len(found) == len(answer.pets)
        for pet, there in zip(answer.pets, found, strict=True):
            assert iou(np.array([pet.box]), np.array([there["box"]]))[0, 0] > 0.9
            assert there["species"] == pet.species
            said = {guess["id"]: guess["probability"] for guess in there["breeds"]}
            first = pet.breeds[0]
            assert first.id in list(said)[: 1 if first.probability >= SURE else 2]
            assert said[first.id] == pytest.approx(
                first.probability, abs=0.1 if first.probability >= SURE else 0.3
            )
    assert not page.posts, "nothing is uploaded"
    assert not page.faults
    bars = page.locator(".sb-guess")
    bars.last.click()
    assert bars.last.get_attribute("aria-pressed") == "true"


def test_the_picture_is_cut_and_measured_as_on_the_server(chromium: Any, served: Server) -> None:
    page = open_page(chromium, f"{served.url}offline")
    generator = np.random.default_rng(5)
    for shape, box in (((90, 140, 3), (3.5, 2.25, 130.0, 88.0)), ((500, 700, 3), (0, 0, 700, 500))):
        coarse = Image.fromarray(generator.integers(0, 255, (12, 16, 3), np.uint8))
        pixels = np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))
        rgba = np.dstack([pixels, np.full(shape[:2], 255, np.uint8)])
        found = page.evaluate(
            """async ([data, width, height, box]) => {
                const { resample, faultsOf } = await import(new URL('identify.js', document.baseURI).href);
                const bytes = Uint8ClampedArray.from(atob(data), (c) => c.charCodeAt(0));
                const pixels = resample({ data: bytes, width, height }, box, 224);
                return [Array.from(pixels), faultsOf(pixels, 224)];
            }""",
            [base64.b64encode(rgba.tobytes()).decode(), shape[1], shape[0], box],
        )
        wanted = resample(Image.fromarray(pixels), box, (224, 224))
        there = np.array(found[0], np.uint8).reshape(224, 224, 3)
        assert np.abs(there.astype(int) - wanted).max() <= 2
        assert found[1] == pytest.approx(faults_of(there)._asdict(), abs=0.02)


def test_it_works_without_a_connection_and_in_a_folder(chromium: Any, alone: str, tmp_path: Path) -> None:
    path = tmp_path / "pet.jpg"
    opened(pet_scenes(1)[0]).convert("RGB").save(path)
    page = open_page(chromium, alone, viewport={"width": 390, "height": 844}, color_scheme="dark")
    first = identify(page, path)
    assert first
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.reload()
    page.evaluate("document.addEventListener('identified', (event) => (window.said = event.detail))")
    assert identify(page, path) == first
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    (tmp_path / "no.jpg").write_bytes(b"this is no picture")
    page.set_input_files("#offline-file", str(tmp_path / "no.jpg"))
    page.locator("#offline-status.sb-problem:has-text('cannot read')").wait_for()


def test_it_speaks_the_visitors_language(chromium: Any, served: Server, tmp_path: Path) -> None:
    page = open_page(chromium, f"{served.url}offline/", locale="de-DE")
    opened(pet_scenes(1)[0]).convert("RGB").save(tmp_path / "pet.jpg")
    identify(page, tmp_path / "pet.jpg")
    assert "gefunden" in page.inner_text("#offline-status")


def test_of_two_photos_in_quick_succession_the_last_is_shown(
    chromium: Any, served: Server, tmp_path: Path, no_pet: Path
) -> None:
    pet = tmp_path / "pet.jpg"
    opened(pet_scenes(1)[0]).convert("RGB").save(pet)
    # The browser does not let a test hold what a service worker asks for.
    page = open_page(chromium, f"{served.url}offline", service_workers="block")
    held: list[Any] = []
    page.route("**/model/classifier.tflite*", lambda route: held.append(route))
    page.evaluate(
        """() => {
            window.answers = [];
            document.addEventListener('identified', (event) => window.answers.push(event.detail.length));
        }"""
    )
    with page.expect_request("**/model/classifier.tflite*"):
        page.set_input_files("#offline-file", str(pet))
    page.set_input_files("#offline-file", str(no_pet))
    held[0].continue_()
    page.wait_for_function("window.answers.includes(0)", timeout=120_000)
    assert page.evaluate("window.answers") == [0]
    assert page.locator("#offline-pets section").count() == 0
    assert "No cat or dog" in page.inner_text("#offline-status")
    shown = page.evaluate("document.getElementById('offline-photo').toDataURL()")
    page.unroute("**/model/classifier.tflite*")
    assert len(identify(page, pet)) == page.locator("#offline-pets section").count() > 0
    identify(page, no_pet)
    assert page.evaluate("document.getElementById('offline-photo').toDataURL()") == shown, "no frame on it"
    assert not page.faults


def test_the_networks_of_older_versions_are_not_kept(chromium: Any, alone: str) -> None:
    page = open_page(chromium, alone)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("navigator.serviceWorker.controller")
    kept = page.evaluate(
        """async () => {
            const cache = await caches.open('smartbreed-offline');
            const networks = async () =>
                (await cache.keys()).map((one) => one.url).filter((url) => url.includes('.tflite')).sort();
            const first = await networks();
            const old = first.map((url) => url.replace(/v=.*/, 'v=old'));
            for (const url of first) await cache.delete(url);
            for (const url of old) await cache.put(url, new Response('an old network'));
            for (const url of first) await (await fetch(url)).arrayBuffer();
            return [first, old, await networks()];
        }"""
    )
    assert len(kept[0]) == 2
    assert kept[1] != kept[0]
    assert kept[2] == kept[0]
