"""Chaos test: inject random faults under load: ``python -m benchmarks.chaos --minutes 10``.

Clients identify photos, flag them and withdraw flags, and repeat each flag and withdrawal until it is
confirmed. Meanwhile the app is killed (SIGKILL) and restarted, its disk is full, the Hub and the database are
unreachable, and the network is slow. Then everything is repaired, the outbox is published, and the database,
the photos and the dataset are checked: no confirmed flag may be lost or duplicated, no withdrawn flag may
remain, and every answer must equal the one given before the faults.

It needs the checkout, as ``tests/support`` starts the processes. Only root can mount the small disk that is
filled. If PostgreSQL is installed, it serves the database, through a proxy that can cut the connection.
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

#: Size in bytes of the disk that can be filled, and the range in seconds of a fault's duration.
DISK, LASTS_S = 256_000_000, (2.0, 5.0)
#: Delay of each chunk on a slow network, in seconds.
SLOW_S = 0.1
#: Number of clients, timeout of a request, and time limit for a start and for publishing, in seconds.
CLIENTS, PATIENCE_S, SETTLES_S = 4, 60.0, 600.0
#: Shares of requests that identify a photo and that flag one, 0…1; the rest withdraw a flag.
NAMES, FLAGS = 0.4, 0.5
DATASET = "chaos/flags"


class Wire:
    """A TCP proxy to another local port, whose connections can be cut or slowed down.

    Attributes:
        port: port on which it listens.
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
        """Change the state; ``cut`` also aborts open connections."""
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
            # When one side closes, close the other: the database must not wait for an app that was killed.
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
    """A flag that a client sends until it is confirmed.

    Attributes:
        photo: bytes of the photo; no other flag has the same photo.
        flag_id, receipt: from the confirmation; empty until it arrives.
        taken_back: state of its withdrawal: ``""``, ``asked`` (it may have succeeded) or ``confirmed``.
    """

    photo: bytes
    flag_id: str = ""
    receipt: str = ""
    taken_back: str = ""


@dataclass
class Result:
    """The result of a run.

    Attributes:
        faults: number of times each fault was injected.
        not_tried: faults that could not be injected on this machine.
        answers: number of requests by kind and status; the status ``-`` is a broken connection.
        wrong: answers that differ from the first one.
        lost, doubled, left: ids of flags that were confirmed but are missing, that exist twice, and that were
            withdrawn but remain. ``doubled`` may also hold photos and dedupe keys.
        confirmed: number of confirmed flags.
        taken_back: number of confirmed withdrawals.
        published: number of different flags in the dataset.
        traces: number of tracebacks in the app's log.
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
    """Mount a small file system, which only root can do; yield whether it worked."""
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
    """Make a photograph unique: draw a number as squares at its edge, large enough to survive encoding."""
    picture = photo.copy()
    for bit in range(24):
        shade = (250, 250, 250) if number >> bit & 1 else (5, 5, 5)
        picture.paste(shade, (8 * bit, picture.height - 8, 8 * bit + 8, picture.height))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


class Chaos:
    """An installation, its clients, and the faults injected into it.

    Args:
        folder: an empty folder for all files.
        photo: a photograph of a pet.
        seed: seed of the faults and their times.
    """

    def __init__(self, folder: Path, photo: Image.Image, seed: int) -> None:
        self._folder, self._photo, self._luck = folder, photo.convert("RGB"), random.Random(seed)
        self.result = Result()
        self._guard, self._over = threading.Lock(), threading.Event()
        self._flags: list[Said] = []
        self._numbers = iter(range(1, 1 << 24))

    def run(self, seconds: float) -> Result:
        """Inject faults for the given time in seconds, then repair everything and check the result."""
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

    # -- faults

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
        # Go through all faults in random order before repeating any, so that a short run has all of them.
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
        """Wait until the app answers; restart it if it exits."""
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

    # -- the clients

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
        """Repeat a request until it is confirmed or the clients stop."""
        while not ask() and not self._over.wait(0.2):
            pass

    def _post(self, client: httpx.Client, what: str, path: str, **sent: Any) -> dict[str, Any] | None:
        """Send a request and count its status; return the JSON of a 200, else None."""
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
        """Return the reference answer, given before any fault."""
        with httpx.Client(base_url=self._url, timeout=PATIENCE_S) as client:
            answer = client.post("/api/identify", files={"photo": marked(self._photo, 0)}).raise_for_status()
        essence = _essence(answer.json())
        assert essence, "the photograph has a pet"
        return essence

    # -- the checks afterwards

    def _settle(self) -> None:
        """Repair everything, restart the app, and wait until all flags are published."""
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
        """Return id, photo, dedupe key and state of each flag in the database."""
        import sqlalchemy as sa

        with self._engine.connect() as connection:
            found = connection.execute(sa.text("SELECT id, sample_id, dedupe_key, state FROM flags"))
            return [(str(a), str(b), str(c), str(d)) for a, b, c, d in found]

    def _unpublished(self) -> bool:
        return any(state == "pending" for *_, state in self._rows())

    def _pending_in_dataset(self) -> list[str]:
        return sorted(flag_id for flag_id, _, _, state in self._rows() if state == "published")

    def _in_dataset(self) -> list[str]:
        """Return the sorted flag ids in the dataset, with repetitions."""
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
                # A pending flag needs its photo on disk; a published one must be in the dataset.
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
    """Return what must not change in an answer: verdict, breed and rounded box of each pet."""
    return [
        [pet["verdict"], pet["breeds"][0]["id"], [round(edge) for edge in pet["box"]]]
        for pet in answer["pets"]
    ]


def tables(result: Result) -> list[Table]:
    """Build the tables of the faults, of the requests, and of the final checks."""
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
    """Load a photograph of a pet from those that the tests use."""
    from support.photos import opened, pet_scenes

    picture = opened(pet_scenes(1)[0]).convert("RGB")
    picture.thumbnail((400, 400))
    return picture


def main(
    minutes: Annotated[float, typer.Option(help="How long things go wrong.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of what happens when.")] = 0,
) -> None:
    """Inject random faults under load, then check that nothing was lost."""
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
