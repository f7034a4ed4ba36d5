"""A running SmartBreed with something to do on each page, for the tests that operate every control."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image
from support.photos import opened, pet_scenes, pets, rows
from support.processes import Server, smartbreed

PASSWORD = "a long enough password"
#: A breed the catalogue lacks, learnt from photographs of something the model does not know.
NEW_BREED = "Silver Fox"
#: What visitors say of photographs, in turn; each is left open for the review page.
SAID = (
    {"pet": 1, "verdict": "wrong", "label": "siamese"},
    {"pet": 1, "verdict": "wrong", "label": "pug"},
    {"pet": 1, "verdict": "not_a_pet"},
    {"pet": 1, "verdict": "unsure"},
    {"pet": 1, "verdict": "wrong", "label": "beagle"},
    {"pet": 1, "verdict": "wrong", "label_text": "Mudi"},
    {"verdict": "missed"},
)
#: What another says of a photograph that is nearly the first one.
ALIKE = {"pet": 1, "verdict": "wrong", "label": "siamese"}


@dataclass(frozen=True)
class Photos:
    """Files to upload.

    Attributes:
        one: a photograph of one pet.
        two: two such photographs beside each other.
        many: eight of them in one picture: more pets than there are cards.
        nothing: a picture of nothing.
    """

    one: Path
    two: Path
    many: Path
    nothing: Path


class Stage:
    """A server with the bundle that ships, a gallery, a maintainers' password, flags and decisions.

    Args:
        folder: an empty folder for all it keeps.
        learnt: accepted photographs of a breed it lacks: enough for a retraining that is released.

    Attributes:
        followed: widths of windows, and addresses that a walk has reached by a link in each.
        wrong_at: when a walk last tried a wrong password, in seconds of `time.monotonic`.
    """

    def __init__(self, folder: Path, *, learnt: int = 0) -> None:
        self.folder = folder
        self.followed: set[tuple[int, str]] = set()
        self.wrong_at = -60.0
        self.changes = {
            "SMARTBREED_MODEL": "", "SMARTBREED_HUB": "embedded", "SMARTBREED_GALLERY": str(pets()),
            "SMARTBREED_MAINTAINER_PASSWORD": PASSWORD, "SMARTBREED_PUBLISH_EVERY": "0",
            "SMARTBREED_MAX_BYTES": "30000000", "SMARTBREED_WATCH": "1", "SMARTBREED_DAILY_FLAGS": "500",
            "GRADIO_SERVER_NAME": "127.0.0.1",
        }  # fmt: skip
        self.photos = self._photos()
        self.server = Server(folder, **self.changes)
        try:
            self.server.wait_until_ready()
            self._flag_all(learnt)
        except BaseException:
            self.server.stop()
            raise

    @property
    def url(self) -> str:
        return self.server.url

    def stop(self) -> None:
        self.server.process.terminate()
        self.server.process.wait(120)  # what it has begun ends first

    def command(self, *arguments: str) -> str:
        """What ``smartbreed …`` prints, on the server's own home."""
        done = smartbreed(self.folder, *arguments, **self.changes)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def flag_again(self, number: int) -> None:
        """Flag some more photographs, so that as many wait for a review as before.

        Args:
            number: tells these photographs from those of other calls.
        """
        from gradio_client import Client, handle_file

        client = Client(self.url, verbose=False)
        for place, said in enumerate((*SAID, ALIKE)):
            path = self._scene(place % len(SAID) + number * len(SAID), 92 - place // len(SAID))
            made = client.predict(handle_file(path), **said, consent=True, whole=True, api_name="/flag")
            assert made.get("created"), made

    def _flag_all(self, learnt: int) -> None:
        from gradio_client import Client, handle_file

        client = Client(self.url, verbose=False)
        made = []
        foxes = islice(rows("others", "train", **{"class": "fox"}), learnt)
        for number, row in enumerate(foxes):
            path = self.folder / f"fox-{number}.jpg"
            path.write_bytes(row["image"]["bytes"])
            made.append(
                client.predict(
                    handle_file(path), pet=1, verdict="wrong", label_text=NEW_BREED, consent=True, whole=True,
                    api_name="/flag",
                )["flag_id"]
            )  # fmt: skip
        if made:
            self.command("review", "new-breed", NEW_BREED, *made, "--species", "dog")
        self.flag_again(0)

    def waiting(self) -> int:
        """Flags that wait for a decision."""
        return len(json.loads(self.command("review", "list", "--json") or "[]"))

    def _scene(self, number: int, quality: int) -> str:
        path = self.folder / f"scene-{number}-{quality}.jpg"
        if not path.exists():
            self._scenes[number].save(path, quality=quality)
        return str(path)

    def _photos(self) -> Photos:
        self._scenes = [opened(row) for row in pet_scenes(24)]
        pictures = [
            picture.resize((round(picture.width * 320 / picture.height), 320)) for picture in self._scenes
        ]
        one, two, many, nothing = (self.folder / f"{name}.jpg" for name in ("one", "two", "many", "nothing"))
        self.folder.mkdir(parents=True, exist_ok=True)
        pictures[0].save(one, quality=92)
        _beside(pictures[:2], 2).save(two, quality=92)
        _beside(pictures[:12], 4).save(many, quality=92)
        Image.linear_gradient("L").resize((400, 300)).convert("RGB").save(nothing)
        return Photos(one, two, many, nothing)


def _beside(pictures: list[Image.Image], columns: int) -> Image.Image:
    width = max(picture.width for picture in pictures) + 40
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (width * columns, 360 * rows), "#7c7c7c")
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place % columns * width + 20, place // columns * 360 + 20))
    return sheet
