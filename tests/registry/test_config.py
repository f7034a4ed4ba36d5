"""``config.json``: older formats are read, newer ones refused, and what may be left out may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bundles import edit_config, make_bundle

from smartbreed.breeds.catalogue import breed_of_label, resolve, search
from smartbreed.core.errors import BundleError, RequestError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.bundle import FORMAT, load_bundle, parse_config
from smartbreed.inference.labels import Labels
from smartbreed.inference.pipeline import Identifier
from smartbreed.web.api.answers import breed_list

GOOD = json.loads((EMBEDDED_BUNDLE / "config.json").read_text())


def parse(**changes: Any) -> Any:
    return parse_config(json.dumps({**GOOD, **changes}).encode())


def labels(*those: dict[str, Any]) -> dict[str, Any]:
    return {**GOOD["classifier"], "labels": list(those)}


def test_an_older_format_is_upgraded() -> None:
    config = parse(format=1, parents=["smartbreed/pets@v0.9", {"repo": "me/pets", "version": "0.8"}])
    assert config.format == FORMAT
    assert [(parent.repo, parent.version) for parent in config.parents] == [
        ("smartbreed/pets@v0.9", ""),
        ("me/pets", "0.8"),
    ]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (0, "too old"),
        (-3, "too old"),
        (FORMAT + 1, "Update SmartBreed"),
        (99, "newer"),
        ("2", "format"),
        (True, "format"),
    ],
)
def test_other_formats_are_refused_in_a_sentence(found: object, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        parse(format=found)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"version": "1.0\n"}, "version"),
        ({"name": ""}, "name"),
        ({"classifier": labels({"id": "../../etc/passwd"})}, "id"),
        ({"classifier": labels({"id": "a\nb"})}, "id"),
        ({"classifier": labels({"id": "wolf", "species": "wolf"})}, "species"),
        ({"classifier": labels({"id": "pug"}, {"id": "pug"})}, "labels: .*two labels have the id pug"),
    ],
)
def test_what_makes_no_sense_is_named(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(BundleError, match=where):
        parse(**changes)


KEYS = st.sampled_from([*GOOD, "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=200)
@given(JSON)
def test_any_json_is_refused_in_a_sentence(value: object) -> None:
    with pytest.raises(BundleError):
        parse_config(json.dumps(value).encode())


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(BundleError):
        parse_config(b"[" * 200_000)


def test_a_network_has_to_be_a_tflite(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle", "7.1.0")
    edit_config(folder, lambda config: config["classifier"].update(file="README.md"))
    with pytest.raises(BundleError, match=r"README\.md as a network"):
        load_bundle(folder)


def test_a_new_breed_has_the_name_its_label_gives(tmp_path: Path) -> None:
    """Learnt from flags: the catalogue knows nothing of it."""

    def with_another_label(config: dict[str, Any]) -> None:
        config["classifier"]["labels"][0] = {
            "id": "norwegian_lundehund",
            "name": "Norwegian Lundehund",
            "species": "dog",
            "group": "spitz",
        }

    identifier = Identifier.load(
        make_bundle(tmp_path / "bundle", "7.1.0", change=with_another_label), threads=1
    )
    known = identifier.known.breed("norwegian_lundehund")
    assert (known.name, known.species, known.group) == ("Norwegian Lundehund", "dog", "spitz")
    assert breed_list(identifier.bundle)[0]["name"] == "Norwegian Lundehund"
    answer = identifier.identify(read_photo(np.full((80, 90, 3), 120, np.uint8)), top_k=133)
    assert "Norwegian Lundehund" in [guess.name for guess in answer.pets[0].breeds]
    assert resolve("lundehund") is None
    assert resolve("norwegian lundehund dog", identifier.known.breeds) == known
    assert known in search("lundehund", others=identifier.known.breeds)
    assert known not in search("lundehund")


def test_a_model_of_something_else(tmp_path: Path) -> None:
    """As the recipe for CIFAR-10 makes them: no species, no groups, no detector."""

    def other(config: dict[str, Any]) -> None:
        config.update(name="Ten things", about="What is in a small picture.", detector=None)
        names = ["Airplane", "Deer", *(f"Thing {n}" for n in range(131))]
        config["classifier"]["labels"] = [{"id": name.lower(), "name": name} for name in names]

    identifier = Identifier.load(make_bundle(tmp_path / "bundle", "0.1.0", change=other), threads=1)
    assert identifier.bundle.config.about == "What is in a small picture."
    answer = identifier.identify(read_photo(np.full((80, 90, 3), 120, np.uint8)))
    assert answer.whole
    assert answer.pets[0].species == ""
    assert answer.pets[0].breeds[0].name[:1].isupper()
    assert breed_list(identifier.bundle)[1] == {
        "id": "deer",
        "name": "Deer",
        "aliases": [],
        "species": "",
        "group": "",
    }


def test_an_answer_explains_itself_without_its_model(tmp_path: Path) -> None:
    identifier = Identifier.load(make_bundle(tmp_path / "bundle", "7.1.0", turn=3), threads=1)
    answer = identifier.identify(read_photo(np.random.default_rng(1).integers(0, 255, (90, 80, 3), np.uint8)))
    pet = answer.pets[0]
    expected = identifier.heat(pet)
    del identifier
    assert answer.labels is not None
    np.testing.assert_array_equal(answer.labels.heat(pet.class_maps, pet.breeds[0].id), expected)
    with pytest.raises(RequestError):
        answer.labels.heat(pet.class_maps, "dragon")


def test_a_label_goes_before_the_catalogue() -> None:
    assert breed_of_label("pug").name == "Pug"
    assert breed_of_label("pug", "Mops").name == "Mops"
    assert breed_of_label("pug", "Mops").species == "dog"
    assert Labels(parse().classifier).breed("dragon").name == "Dragon"
