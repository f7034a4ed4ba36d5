"""A model of one's own classes is retrained: what is said and kept of it follows its classes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from support.retraining import RetrainingWorld
from support.shards import settings_in

from localhub.repo_card import front_matter
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.hub.client import connect, read_file
from smartbreed.inference.bundle import load_bundle, write_config
from training.continual.retrained_card import differences, license_of, render_card

#: What is only said of pets.
OF_PETS = re.compile(r"\bbreeds?\b|\bpets?\b|\bspecies\b|famil(y|ies)|\bcats?\b|\bdogs?\b", re.I)
LABELS = [{"id": name, "name": name.capitalize()} for name in ("daisy", "tulip", "clover")]
FIGURES = {
    "gate": {
        "pictures": 60, "stand_in": False,
        "top1": {"champion": 0.9, "challenger": 0.92}, "ece": {"champion": 0.03, "challenger": 0.02},
    },
    "flagged": {"samples": 12, "top1": {"champion": 0.5, "challenger": 0.75}},
}  # fmt: skip


def config_of(labels: list[dict[str, str]], *, detector: bool = False) -> dict[str, Any]:
    """What a retrained version's card is written from."""
    classifier = {"labels": labels, "temperature": 0.7, "thresholds": {"breed": 0.6, "group": 0.6}}
    return {
        "name": "mine", "version": "1.1.0", "classifier": classifier,
        "detector": {"confirm": {"classifier": 0.5, "bias": -1.0}} if detector else None,
        "parents": [{"version": "1.0.0", "repo": "me/mine", "revision": "0" * 40}],
        "retraining": {"dataset": "me/flags", "revision": "1" * 40, "samples": 12},
    }  # fmt: skip


def card_of(config: dict[str, Any], mode: str = "head", license: str = "") -> str:
    facts = {"figures": FIGURES, "learnt": ["Clover: 12 pictures"], "difference": [], "mode": mode}
    return render_card(config, facts, license)


@pytest.mark.parametrize("mode", ["head", "full"])
def test_the_card_of_flowers_names_no_cat_and_no_dog(mode: str) -> None:
    card = card_of(config_of(LABELS), mode)
    assert [line for line in card.splitlines() if OF_PETS.search(line)] == []
    assert "Names what a picture shows by one of 3 labels" in card
    assert "Detector" not in card, "there is none"
    assert front_matter(card)["tags"] == ["image-classification", "grad-cam", "litert", "keras"]
    assert "license" not in front_matter(card), "that is not ours to say"


@pytest.mark.parametrize(
    ("detector", "said", "tags"),
    [
        (True, "Finds every cat and dog in a photograph and names its breed, one of 1,", "object-detection"),
        (False, "Names the breed of the cat or dog that a picture shows, one of 1,", "breeds"),
    ],
)
def test_pets_are_found_only_where_something_looks_for_them(detector: bool, said: str, tags: str) -> None:
    pug = [{"id": "pug", "name": "Pug", "species": "dog", "group": "toy_dog"}]
    card = card_of(config_of(pug, detector=detector), license="apache-2.0")
    assert said in card
    assert ("Detector, training photographs" in card) == detector
    assert tags in front_matter(card)["tags"]
    assert ("object-detection" in front_matter(card)["tags"]) == detector
    assert front_matter(card)["license"] == "apache-2.0"


def test_the_licence_is_the_parents(tmp_path: Path) -> None:
    assert license_of(load_bundle(EMBEDDED_BUNDLE)) == "apache-2.0"
    of_things(tmp_path / "things")
    assert license_of(load_bundle(tmp_path / "things")) == ""


def test_what_changed_is_said_of_labels(tmp_path: Path) -> None:
    before, after = config_of(LABELS[:2], detector=True), config_of(LABELS, detector=True)
    after["detector"]["confirm"]["bias"] = -2.0
    said = differences(before, after, 2)
    assert said[0] == "Label added: Clover (`clover`)."
    assert [line for line in said if OF_PETS.search(line)] == []
    assert not any("group" in line for line in said), "these labels have none"


def of_things(folder: Path) -> Path:
    """The model that ships, with a hundred and thirty-three things for names."""
    shutil.copytree(EMBEDDED_BUNDLE, folder)
    config = json.loads((folder / "config.json").read_text())
    labels = config["classifier"]["labels"]
    config["classifier"]["labels"] = [
        {"id": f"thing_{n}", "name": f"Curious thing {n}"} for n in range(len(labels))
    ]
    for name in ("replay.npz", "gate.npz"):
        with np.load(folder / name, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        place = {label["id"]: f"thing_{n}" for n, label in enumerate(labels)}
        arrays["names"] = np.array([place[str(one)] for one in arrays["names"]])
        np.savez_compressed(folder / name, **arrays)
    (folder / "README.md").write_text("---\nlibrary_name: litert\n---\n# Curious things\n")
    write_config(folder, {**config, "name": "curious", "version": "1.0.0", "detector": None, "metrics": {}})
    return folder


def test_a_retraining_of_things_speaks_of_labels_throughout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_MODEL", "SMARTBREED_BASE_DATASET"):
        monkeypatch.delenv(name, raising=False)
    drawn: list[str] = []
    save = Figure.savefig

    def keep(self: Figure, path: Any, **options: Any) -> None:
        self.canvas.draw()
        drawn.extend(text.get_text() for text in self.findobj(Text))
        save(self, path, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    world = RetrainingWorld(settings_in(tmp_path / "home", model=str(of_things(tmp_path / "things"))))
    # Reviewers are asked whether it is a cat or a dog; a thing is neither.
    world.accept(range(12), decision="new_breed", label="mudi", name="Mudi", species="dog", group="shepherd")
    found = world.retrain()
    assert found["published"], found["reasons"]
    api, repo = connect(world.settings), world.settings.model_repo
    texts = {
        name: (read_file(api, repo, "model", name, found["revision"]) or b"").decode()
        for name in ("README.md", "CHANGELOG.md", "config.json")
    }
    label = json.loads(texts["config.json"])["classifier"]["labels"][-1]
    assert (label["name"], label.get("species", ""), label.get("group", "")) == ("Mudi", "", "")
    report = (Path(found["report"]) / "report.md").read_text()
    said = [
        *texts["README.md"].splitlines(), *texts["CHANGELOG.md"].splitlines(), *report.splitlines(), *drawn,
        *found["reasons"], *found["undecided"],
    ]  # fmt: skip
    # Names of repos and files are what a maintainer chose.
    said = [re.sub(r"`[^`]*`|\S+/\S+|datasets: .*", "", line) for line in said]
    assert [line for line in said if OF_PETS.search(line)] == []
    assert "Mudi: new label, 12 pictures" in texts["README.md"]
    assert any("No label got worse" in line or "Less often right" in line for line in said)
    assert any("Curious thing" in line for line in said), "labels are called by their names"
