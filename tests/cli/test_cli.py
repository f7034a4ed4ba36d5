"""The command line: data on stdout, talk on stderr, exit statuses that scripts can rely on."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.processes import ROOT, environment, run, smartbreed, start
from typer.testing import CliRunner

from smartbreed import __version__
from smartbreed.breeds.facts import facts_of
from smartbreed.cli.common import MISUSE, SOME_FAILED
from smartbreed.cli.paths import expand
from smartbreed.core.errors import RequestError


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command in this process, which is quicker."""
    from smartbreed.cli.main import app

    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments, **options: CliRunner().invoke(app, [*map(str, arguments)], **options)


def test_a_table_for_people(tmp_path: Path, photo: Path) -> None:
    done = smartbreed(tmp_path, "identify", photo)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["photo", "pet", "breed", "sure", "or", "else"]
    assert rows[0].startswith(photo.name)
    assert re.search(r"\b1 (cat|dog)\b", rows[0])
    assert re.search(r"\d%", rows[0])
    assert "\x1b" not in done.stdout, "no colours in a pipe"
    assert not (tmp_path / "home").exists(), "looking at a photo writes nothing"


def test_json_lines_in_the_order_asked_for(invoke, photos: list[Path], bad_photos) -> None:
    paths = [photos[2], bad_photos["text"].path, photos[0], Path("missing.jpg"), photos[1], photos[0].parent]
    done = invoke("identify", *paths, "--json", "--top-k", 1)
    assert done.exit_code == SOME_FAILED
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    names = [path.name for path in paths[:5]] + sorted(path.name for path in photos)
    assert [answer["image"] for answer in answers] == names
    codes = [answer.get("error", {}).get("code") for answer in answers]
    assert codes == [None, "unsupported_format", None, "not_found", None, None, None, None]
    assert all(len(pet["breeds"]) == 1 for answer in answers for pet in answer.get("pets", []))
    assert "2 of 8 could not be read" in done.stderr


def test_what_cannot_be_read_is_said_on_stderr(invoke, photo: Path, bad_photos) -> None:
    done = invoke("identify", photo, bad_photos["truncated"].path, photo.parent / "gone.jpg")
    assert done.exit_code == SOME_FAILED
    assert "truncated.jpg: " in done.stderr
    assert "gone.jpg: " in done.stderr
    assert "truncated" not in done.stdout


def test_standard_input(tmp_path: Path, photo: Path, invoke) -> None:
    piped = smartbreed(tmp_path, "identify", "-", "--json", stdin=photo.read_bytes())
    assert piped.returncode == 0
    named = json.loads(invoke("identify", photo, "--json").stdout)
    answer = json.loads(piped.stdout)
    assert answer["image"] == ""
    assert answer["pets"] == named["pets"]
    for stdin in (b"", b"not a photo at all"):
        assert smartbreed(tmp_path, "identify", "-", "--json", stdin=stdin).returncode == SOME_FAILED


def test_folders_patterns_and_files(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "sub/c.webp", "sub/deep/d.heic", ".git/e.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [source.name for source in expand([str(tmp_path)])] == [
        "a.PNG",
        "b.jpg",
        "sub/c.webp",
        "sub/deep/d.heic",
    ]
    assert [source.name for source in expand([f"{tmp_path}/*.jpg"])] == ["b.jpg"]
    assert [source.name for source in expand([f"{tmp_path}/**/*.heic"])] == ["sub/deep/d.heic"]
    assert [source.name for source in expand([f"{tmp_path}/notes.txt", "-"])] == ["notes.txt", ""]
    (tmp_path / "[1].jpg").write_bytes(b"x")
    assert [source.name for source in expand([f"{tmp_path}/[1].jpg"])] == ["[1].jpg"], (
        "a name goes before a pattern"
    )
    (tmp_path / "sub/loop").symlink_to(tmp_path)
    assert len(expand([str(tmp_path)])) == 5, "links to folders are not followed"
    for arguments in (["-", "-"], [f"{tmp_path}/*.gif"], [str(tmp_path / "sub" / "empty")]):
        (tmp_path / "sub" / "empty").mkdir(exist_ok=True)
        with pytest.raises(RequestError):
            expand(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["identify"],
        ["identify", "/nowhere/*.jpg"],
        ["identify", "x.jpg", "--top-k", "0"],
        ["identify", "x.jpg", "--top-k", "some"],
        ["identify", "x.jpg", "--score", "1.5"],
        ["identify", "x.jpg", "--score", "nan"],
        ["identify", "x.jpg", "--model", "/no/such/folder"],
        ["identify", "-", "-"],
        ["identify", "x.jpg", "--no-such-option"],
        ["breeds", "--model", "/no/such/folder"],
        ["flags", "count", "--state", "lost"],
        ["flags", "list", "--limit", "0"],
        ["serve", "--port", "0"],
        ["frobnicate"],
    ],
)
def test_misuse(invoke, arguments: list[str]) -> None:
    done = invoke(*arguments)
    assert done.exit_code == MISUSE
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    done = smartbreed(tmp_path, "identify", "x.jpg", SMARTBREED_MAX_PIXELS="plenty")
    assert (done.returncode, done.stdout) == (MISUSE, "")
    assert len(done.stderr.splitlines()) == 1
    assert "SMARTBREED_MAX_PIXELS" in done.stderr
    assert "plenty" in done.stderr


def test_a_reader_who_goes_away(tmp_path: Path, photo: Path) -> None:
    command = f"{sys.executable} -m smartbreed identify '{photo}' '{photo}' '{photo}' --json | head -c 1"
    done = subprocess.run(
        command, shell=True, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("{", "")


def test_names_that_would_upset_a_terminal(invoke, tmp_path: Path, photo: Path) -> None:
    evil = tmp_path / os.fsdecode(b"a\x1b[31m[bold]\xff.jpg")
    evil.write_bytes(photo.read_bytes())
    for arguments in ([], ["--json"]):
        done = invoke("identify", evil, *arguments)
        assert done.exit_code == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "a[31m[bold].jpg" in done.stdout


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_names_that_a_console_cannot_show(tmp_path: Path, photo: Path, encoding: str) -> None:
    named = tmp_path / "柴犬é.jpg"
    named.write_bytes(photo.read_bytes())
    missing = tmp_path / "犬.jpg"
    done = smartbreed(tmp_path, "identify", named, missing, PYTHONIOENCODING=encoding)
    assert done.returncode == SOME_FAILED
    assert "??" in done.stdout
    assert "?.jpg" in done.stderr
    assert "Traceback" not in done.stderr


def test_breeds(invoke) -> None:
    everything = [json.loads(line) for line in invoke("breeds", "--json").stdout.splitlines()]
    breed = everything[-1]
    found = [json.loads(line) for line in invoke("breeds", breed["name"], "--json").stdout.splitlines()]
    assert found[0] == breed
    assert breed["name"] in invoke("breeds", breed["id"]).stdout
    nothing = invoke("breeds", "qqqqqqqq")
    assert (nothing.exit_code, nothing.stdout) == (SOME_FAILED, "")


def test_one_breed(invoke) -> None:
    shown = invoke("breeds", "show", "westie")
    assert shown.exit_code == 0
    facts = facts_of("west_highland_white_terrier")
    lines = shown.stdout.splitlines()
    assert lines[:2] == ["West Highland White Terrier", facts.summary]
    assert "id            west_highland_white_terrier" in lines
    assert f"history       {facts.history}" in lines
    assert any(line.startswith("this model    first guess right for ") for line in lines)
    known = json.loads(invoke("breeds", "show", "westie", "--json").stdout)
    assert known["facts"] == facts.model_dump(mode="json")
    assert known["evaluation"]["pictures"] > 0
    missing = invoke("breeds", "show", "bordr terier")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "Border Terrier (border_terrier)" in missing.stderr
    assert invoke("breeds", "list", "westie").stdout == invoke("breeds", "westie").stdout


def test_flags(invoke) -> None:
    assert invoke("flags", "count").stdout == "0\n"
    assert invoke("flags", "count", "--state", "pending").stdout == "0\n"
    done = invoke("flags", "list", "--json")
    assert (done.exit_code, done.stdout) == (0, "")


def test_version_and_help(invoke) -> None:
    assert invoke("version").stdout.strip() == __version__
    for command in ([], ["identify"], ["serve"], ["breeds"], ["flags"], ["flags", "list"]):
        done = invoke(*command, "--help")
        assert done.exit_code == 0
        assert "Usage" in done.stdout


def test_many_photos_need_little_memory_and_a_bar(tmp_path: Path, photos: list[Path]) -> None:
    """Two hundred photos; with a terminal on stderr a bar shows, and stdout still holds only data."""
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(200):
        (folder / f"{n:03}.jpg").symlink_to(photos[n % 3])
    controller, terminal = pty.openpty()
    script = (
        "import sys; from smartbreed.cli.main import app\n"
        "try: app()\n"
        "except SystemExit as end: status = end.code\n"
        "open(sys.argv[3] + '.status', 'w').write(open('/proc/self/status').read())\n"
        "sys.exit(status)"
    )
    with start(
        "-c", script, "identify", "--json", folder, env=environment(tmp_path, TERM="xterm"), stderr=terminal
    ) as process:
        os.close(terminal)
        shown = bytearray()
        reader = threading.Thread(target=_drain, args=(controller, shown))
        reader.start()  # a terminal that is not read makes the writer wait
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    assert [json.loads(line)["image"] for line in lines] == [f"{n:03}.jpg" for n in range(200)]
    reader.join(10)
    os.close(controller)
    assert b"photos" in shown
    assert b"200/200" in shown
    [peak] = re.findall(r"VmHWM:\s*(\d+) kB", Path(f"{folder}.status").read_text())
    assert int(peak) < 250_000, "kilobytes"


def _drain(terminal: int, into: bytearray) -> None:
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while data := os.read(terminal, 4096):
            into += data


def test_identifying_does_not_wait_for_the_web(tmp_path: Path, photo: Path) -> None:
    code = (
        "import sys; from smartbreed.cli.main import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "heavy = {'gradio', 'fastapi', 'sqlalchemy', 'tensorflow', 'pandas', 'huggingface_hub', 'mcp'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = run("-c", code, "identify", "--json", photo, env=environment(tmp_path))
    assert done.stdout.splitlines()[-1] == "[]"


def test_train_is_the_trainers_command(tmp_path: Path) -> None:
    done = smartbreed(tmp_path, "train", "--keys")
    assert done.returncode == 0
    assert "train.epochs" in done.stdout
    wrong = smartbreed(tmp_path, "train", "no_such_recipe", "--set", "train.epochs=1")
    assert wrong.returncode == 1
    assert "no_such_recipe" in wrong.stderr
    assert "Traceback" not in wrong.stderr
