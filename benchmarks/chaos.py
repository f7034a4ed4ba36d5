"""Everything that may break, at random, under load: ``python -m benchmarks.chaos --minutes 10``.

Clients name photos, flag them and take flags back, each again until it is confirmed, while the app is
killed (SIGKILL) and started again, its disk is full, the Hub and the database cannot be reached, and the
network is slow. Then all is mended, what waits is published, and the database, the photos and the dataset
are looked through: no confirmed flag may be lost, none may be there twice, none that was taken back may be
left, and every answer must be the one that was given before.

It needs the checkout (``tests/support`` starts the processes). Root gets a small disk of its own to fill;
where PostgreSQL is installed, the database is one, reached through a wire that can be cut.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

from support.postgres import new_database, postgres  # noqa: E402
from support.processes import Server, free_port, kill, start  # noqa: E402

#: Bytes of the disk that can be filled, and seconds that a fault lasts.
DISK, LASTS_S = 256_000_000, (2.0, 5.0)
#: Of a slow network: seconds that each piece waits.
SLOW_S = 0.1
#: Clients at a time; seconds that one waits for an answer, and that the end waits for all to be published.
CLIENTS, PATIENCE_S, SETTLES_S = 4, 60.0, 600.0
#: Shares of what clients do: name, flag; the rest takes a flag back.
NAMES, FLAGS = 0.4, 0.5
DATASET = "chaos/flags"


class Wire:
    """A TCP connection to another port that can be cut and slowed down.

    Attributes:
        port: where it listens.
        state: ``well``, ``cut`` or ``slow``.
    """

    def __init__(self, to: int) -> None:
        self.port, self.state, self._to = free_port(), "well", to
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._live, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    def turn(self, state: str) -> None:
        """Change the state; what is open is cut off with the rest."""
        self.state = state
        if state == "cut":
            self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for one in list(self._open):
            one.transport.abort()

    def _live(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        ready.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.state == "cut":
            writer.transport.abort()
            return
        try:
            there_in, there_out = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, there_out}
        self._open |= both
        ways = [asyncio.ensure_future(self._pass(*way)) for way in ((reader, there_out), (there_in, writer))]
        try:
            # When either side is gone, so is the other: a database must not wait for an app that was killed.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self._open -= both
            for one in both:
                one.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await source.read(65_536):
                if self.state == "slow":
                    await asyncio.sleep(SLOW_S)
                target.write(piece)
                await target.drain()


@dataclass
class Said:
    """One flag that a client insists on.

    Attributes:
        photo: the bytes; no other flag is about the same.
        flag_id, receipt: of the confirmation; empty until it comes.
        taken_back: ``""``, ``asked`` (perhaps done) or ``confirmed``.
    """

    photo: bytes
    flag_id: str = ""
    receipt: str = ""
    taken_back: str = ""


@dataclass
class Result:
    """What happened.

    Attributes:
        faults: how often each was brought about; what could not be is in ``not_tried``.
        answers: status of each request by what was asked; ``-``: the connection broke.
        wrong: answers that differ from the first one.
        lost, doubled, left: ids of flags: confirmed and not there, there twice, taken back and still there.
        traces: tracebacks in the app's log.
    """

    faults: Counter[str] = field(default_factory=Counter)
    not_tried: list[str] = field(default_factory=list)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    confirmed: int = 0
    taken_back: int = 0
    published: int = 0
    traces: int = 0

    @property
    def sound(self) -> bool:
        return not (self.wrong or self.lost or self.doubled or self.left)


@contextmanager
def disk(folder: Path) -> Iterator[bool]:
    """Mount a small file system where root may; whether that worked."""
    folder.mkdir(parents=True)
    mounted = not os.getuid() and not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], capture_output=True, check=False
    ).returncode  # fmt: skip
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=False)


def marked(photo: Image.Image, number: int) -> bytes:
    """The photograph as no other: with a number in squares at its edge, which survive an encoder."""
    picture = photo.copy()
    for bit in range(24):
        shade = (250, 250, 250) if number >> bit & 1 else (5, 5, 5)
        picture.paste(shade, (8 * bit, picture.height - 8, 8 * bit + 8, picture.height))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


class Chaos:
    """One installation, its clients, and what goes wrong.

    Args:
        folder: for everything; empty.
        photo: has a pet in it.
        seed: of what happens when.
    """

    def __init__(self, folder: Path, photo: Image.Image, seed: int) -> None:
        self._folder, self._photo, self._luck = folder, photo.convert("RGB"), random.Random(seed)
        self.result = Result()
        self._guard, self._over = threading.Lock(), threading.Event()
        self._flags: list[Said] = []
        self._numbers = iter(range(1, 1 << 24))

    def run(self, seconds: float) -> Result:
        """Let it go wrong for so long, then mend everything and look."""
        with ExitStack() as stack:
            self._set_up(stack)
            self._first = self._asked()
            clients = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
            for client in clients:
                client.start()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self._over.wait(self._luck.uniform(*LASTS_S))
                self._go_wrong()
            self._over.set()
            for client in clients:
                client.join()
            self._settle()
            self._look()
        return self.result

    def _set_up(self, stack: ExitStack) -> None:
        folder = self._folder
        self._small = stack.enter_context(disk(folder / "disk"))
        if not self._small:
            self.result.not_tried.append("full disk")
        database = ""
        if shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
            address = stack.enter_context(postgres())
            real = new_database(address, "chaos")
            port = int(address.rpartition(":")[2])
            self._database: Wire | None = Wire(port)
            database = real.replace(f":{port}/", f":{self._database.port}/")
            self._real_database = real
        else:
            self._database = None
            self.result.not_tried.append("dead database")
            self._real_database = f"sqlite:///{folder}/disk/home/smartbreed.db"
        hub_port = free_port()
        self._hub_url = f"http://127.0.0.1:{hub_port}"
        with (folder / "hub.log").open("w") as log:
            hub = start(
                "-m", "localhub", "--root", folder / "hub", "--port", hub_port, stdout=log, stderr=log,
            )  # fmt: skip
        stack.callback(kill, hub)
        self._hub = Wire(hub_port)
        self._app = Server(
            folder / "app",
            SMARTBREED_HOME=str(folder / "disk" / "home"),
            SMARTBREED_HUB=f"http://127.0.0.1:{self._hub.port}",
            HF_TOKEN="anything",
            HF_HUB_DISABLE_XET="1",
            SMARTBREED_DATASET=DATASET,
            SMARTBREED_PUBLISH="all",
            SMARTBREED_PUBLISH_EVERY="3",
            SMARTBREED_CLIENT_FLAGS="0",
            SMARTBREED_TOTAL_FLAGS="0",
            SMARTBREED_MAX_BYTES="20000000",
            SMARTBREED_WATCH="0",
            **({"SMARTBREED_DATABASE_URL": database} if database else {}),
        )
        stack.callback(lambda: kill(self._app.process))
        self._wait_for_the_app()
        self._line = Wire(self._app.port)
        self._url = f"http://127.0.0.1:{self._line.port}"

    # -- what goes wrong

    def _go_wrong(self) -> None:
        faults: list[tuple[str, Callable[[], None]]] = [
            ("app killed", self._kill),
            ("dead Hub", lambda: self._cut(self._hub)),
            ("slow network", self._slow),
        ]
        if self._small:
            faults.append(("full disk", self._fill))
        if self._database is not None:
            faults.append(("dead database", lambda: self._cut(self._database)))
        # Each in turn, in an order of its own each time, so that a short run has all of them.
        if not getattr(self, "_turns", None):
            self._turns = self._luck.sample(faults, len(faults))
        name, work = self._turns.pop()
        work()
        self.result.faults[name] += 1

    def _kill(self) -> None:
        kill(self._app.process)
        self._app.start()
        self._wait_for_the_app()

    def _wait_for_the_app(self) -> None:
        """Until it answers; one that gave up is started again."""
        end = time.monotonic() + SETTLES_S
        while time.monotonic() < end:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self._app.url}healthz", timeout=10).status_code == 200:
                    return
            if self._app.process.poll() is not None:
                self._app.start()
            time.sleep(0.5)
        raise RuntimeError(f"The app does not start again:\n{self._app.log()[-4000:]}")

    def _cut(self, wire: Wire | None) -> None:
        assert wire is not None
        wire.turn("cut")
        time.sleep(self._luck.uniform(*LASTS_S))
        wire.turn("well")

    def _slow(self) -> None:
        wires = [wire for wire in (self._line, self._hub, self._database) if wire is not None]
        for wire in wires:
            wire.turn("slow")
        time.sleep(self._luck.uniform(*LASTS_S))
        for wire in wires:
            wire.turn("well")

    def _fill(self) -> None:
        ballast = self._folder / "disk" / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65_536))
        time.sleep(self._luck.uniform(*LASTS_S))
        ballast.unlink()

    # -- the load

    def _client(self, number: int) -> None:
        luck = random.Random(number)
        with httpx.Client(base_url=self._url, timeout=PATIENCE_S) as client:
            while not self._over.is_set():
                dice = luck.random()
                if dice < NAMES:
                    self._name(client)
                elif dice < NAMES + FLAGS:
                    with self._guard:
                        said = Said(marked(self._photo, next(self._numbers)))
                        self._flags.append(said)
                    self._insist(lambda one=said: self._flag(client, one))  # type: ignore[misc]
                else:
                    self._take_one_back(client, luck)

    def _insist(self, ask: Callable[[], bool]) -> None:
        """Again and again until it is confirmed, as long as the clients are here."""
        while not ask() and not self._over.wait(0.2):
            pass

    def _post(self, client: httpx.Client, what: str, path: str, **sent: Any) -> dict[str, Any] | None:
        """The answer of 200; None for any other, which is counted."""
        try:
            answer = client.post(path, **sent)
        except httpx.HTTPError:
            self._count(what, "-")
            return None
        self._count(what, str(answer.status_code))
        return dict(answer.json()) if answer.status_code == 200 else None

    def _count(self, what: str, status: str) -> None:
        with self._guard:
            self.result.answers[what, status] += 1

    def _name(self, client: httpx.Client) -> None:
        answer = self._post(client, "name", "/api/identify", files={"photo": marked(self._photo, 0)})
        if answer is not None and _essence(answer) != self._first:
            with self._guard:
                self.result.wrong.append(json.dumps(_essence(answer)))

    def _flag(self, client: httpx.Client, said: Said) -> bool:
        data = {"pet": "1", "verdict": "wrong", "label": "pug", "consent": "true"}
        answer = self._post(client, "flag", "/api/flag", files={"photo": said.photo}, data=data)
        if answer is not None:
            said.receipt, said.flag_id = answer["receipt"], answer["flag_id"]
        return answer is not None

    def _take_one_back(self, client: httpx.Client, luck: random.Random) -> None:
        with self._guard:
            known = [one for one in self._flags if one.flag_id and not one.taken_back]
            if not known:
                return
            said = luck.choice(known)
            said.taken_back = "asked"
        sent = {"flag_id": said.flag_id, "receipt": said.receipt}

        def ask() -> bool:
            if self._post(client, "take back", "/api/withdraw", json=sent) is not None:
                said.taken_back = "confirmed"
            return said.taken_back == "confirmed"

        self._insist(ask)

    def _asked(self) -> Any:
        """What is answered while all is well."""
        with httpx.Client(base_url=self._url, timeout=PATIENCE_S) as client:
            answer = client.post("/api/identify", files={"photo": marked(self._photo, 0)}).raise_for_status()
        essence = _essence(answer.json())
        assert essence, "the photograph has a pet"
        return essence

    # -- afterwards

    def _settle(self) -> None:
        """A start with everything well, and then wait until nothing is left to publish."""
        from smartbreed.core.database import make_engine

        for wire in (self._line, self._hub, self._database):
            if wire is not None:
                wire.turn("well")
        self._kill()
        self._engine = make_engine(self._real_database)
        end = time.monotonic() + SETTLES_S
        while time.monotonic() < end:
            if not self._unpublished() and self._in_dataset() == self._pending_in_dataset():
                return
            time.sleep(1)

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Id, photo, dedupe key and state of each flag in the database."""
        import sqlalchemy as sa

        with self._engine.connect() as connection:
            found = connection.execute(sa.text("SELECT id, sample_id, dedupe_key, state FROM flags"))
            return [(str(a), str(b), str(c), str(d)) for a, b, c, d in found]

    def _unpublished(self) -> bool:
        return any(state == "pending" for *_, state in self._rows())

    def _pending_in_dataset(self) -> list[str]:
        return sorted(flag_id for flag_id, _, _, state in self._rows() if state == "published")

    def _in_dataset(self) -> list[str]:
        """Ids in the dataset, each as often as it stands there."""
        import pyarrow.parquet as pq
        from huggingface_hub import HfApi

        from smartbreed.dataset.schema import shard_config

        api = HfApi(endpoint=self._hub_url, token="anything")
        if not api.repo_exists(DATASET, repo_type="dataset"):
            return []
        with tempfile.TemporaryDirectory() as folder:
            ids: list[str] = []
            for name in api.list_repo_files(DATASET, repo_type="dataset"):
                if shard_config(name) == "flags":
                    path = api.hf_hub_download(DATASET, name, repo_type="dataset", local_dir=folder)
                    ids += pq.read_table(path, columns=["flag_id"]).column("flag_id").to_pylist()
        return sorted(ids)

    def _look(self) -> None:
        result, rows = self.result, self._rows()
        states = {flag_id: state for flag_id, _, _, state in rows}
        samples = {flag_id: sample for flag_id, sample, _, _ in rows}
        dataset = Counter(self._in_dataset())
        blobs = {path.name.partition(".")[0] for path in (self._folder / "disk/home/blobs").rglob("*")}
        for said in self._flags:
            if not said.flag_id:
                continue
            result.confirmed += 1
            state = states.get(said.flag_id)
            if said.taken_back == "confirmed":
                result.taken_back += 1
                if state != "withdrawn" or said.flag_id in dataset:
                    result.left.append(said.flag_id)
            elif said.taken_back == "":
                # Where it waits its photo has to be there; a published one is whole in the dataset.
                waits = state == "pending" and samples[said.flag_id] in blobs
                if not waits and not (state == "published" and said.flag_id in dataset):
                    result.lost.append(said.flag_id)
        keys = Counter(key for _, _, key, _ in rows)
        photos = Counter(sample for _, sample, _, _ in rows)
        for counts in (keys, photos, dataset):
            result.doubled += [one for one, times in counts.items() if times > 1]
        result.published = len(dataset)
        result.traces = self._app.log().count("Traceback")
        if any(state == "pending" for state in states.values()):
            result.lost.append("the publisher did not come to an end")


def _essence(answer: dict[str, Any]) -> list[Any]:
    """What an answer says, without its times."""
    return [
        [pet["verdict"], pet["breeds"][0]["id"], [round(edge) for edge in pet["box"]]]
        for pet in answer["pets"]
    ]


def tables(result: Result) -> list[Table]:
    """What happened, and what was found afterwards."""
    faults, asked, found = Table("fault", "times"), Table("asked", "answers"), Table("afterwards", "")
    for name, times in sorted(result.faults.items()):
        faults.add_row(name, str(times))
    for name in result.not_tried:
        faults.add_row(name, "not tried here")
    for what in sorted({what for what, _ in result.answers}):
        by = {status: times for (one, status), times in result.answers.items() if one == what}
        text = ", ".join(
            f"{'broken off' if status == '-' else status}: {by[status]}" for status in sorted(by)
        )
        asked.add_row(what, text)
    for name, value in (
        ("confirmed flags", result.confirmed),
        ("taken back", result.taken_back),
        ("in the dataset", result.published),
        ("lost", len(result.lost)),
        ("there twice", len(result.doubled)),
        ("taken back and still there", len(result.left)),
        ("wrong answers", len(result.wrong)),
        ("tracebacks in the log", result.traces),
    ):
        found.add_row(name, str(value))
    return [faults, asked, found]


def photograph() -> Image.Image:
    """One with a pet, of those that the tests use."""
    from support.photos import opened, pet_scenes

    picture = opened(pet_scenes(1)[0]).convert("RGB")
    picture.thumbnail((400, 400))
    return picture


def main(
    minutes: Annotated[float, typer.Option(help="How long things go wrong.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of what happens when.")] = 0,
) -> None:
    """Break everything at random under load, then look for what was lost."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        result = Chaos(Path(folder), photograph(), seed).run(60 * minutes)
    console = Console()
    for table in tables(result):
        console.print(table)
    for name in ("lost", "doubled", "left", "wrong"):
        for one in getattr(result, name)[:20]:
            console.print(f"{name}: {one}")
    raise typer.Exit(0 if result.sound else 1)


if __name__ == "__main__":
    typer.run(main)
