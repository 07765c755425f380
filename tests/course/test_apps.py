"""The applications of the labs on their own, without any container."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import Message
from pathlib import Path

import pytest

CONTEXTS = Path(__file__).parents[2] / "course" / "contexts"
STARTUP = 15.0


class App:
    """A server under test."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def get(self, page: str) -> tuple[int, Message, str]:
        try:
            with urllib.request.urlopen(self.url + page, timeout=5) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def wait(self) -> None:
        deadline = time.monotonic() + STARTUP
        while True:
            try:
                self.get("/health")
            except urllib.error.URLError:
                assert self.process.poll() is None, "the server ended by itself"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.05)
            else:
                return


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def node_command(folder: Path) -> list[str]:
    context = shutil.copytree(CONTEXTS / "01" / "nodejs", folder / "nodejs")
    install = [tool("npm"), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(install, cwd=context, check=True)
    return [tool("node"), str(context / "app.js")]


def go_program(context: Path, folder: Path) -> Path:
    """Compile as the lab's Dockerfile does; nothing may be downloaded."""
    program = folder / "program"
    subprocess.run(
        [tool("go"), "build", "-trimpath", "-ldflags=-s -w", "-o", str(program), "."],
        cwd=context,
        env={**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOPROXY": "off"},
        check=True,
    )
    return program


@contextmanager
def running(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Iterator[App]:
    port = free_port()
    # Away from its sources: the page must travel with the program.
    process = subprocess.Popen(
        [*command, str(port)],
        cwd=folder,
        env={**environ, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        app = App(process, port)
        app.wait()
        yield app
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("node")
    with running(node_command(folder), folder, {"COLOR": 'tomato"<i>'}) as app:
        yield app


@pytest.fixture(scope="module")
def hello_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return go_program(CONTEXTS / "02" / "hello", tmp_path_factory.mktemp("hello"))


@pytest.fixture
def hello(hello_program: Path, tmp_path: Path) -> Iterator[App]:
    with running([str(hello_program)], tmp_path, {}) as app:
        yield app


def test_the_page_shows_the_facts_and_escapes_them(app: App) -> None:
    status, headers, page = app.get("/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>" in page
    assert "<dd>1.0</dd>" in page
    assert f"<dd>{socket.gethostname()}</dd>" in page
    assert "<i>" not in page
    assert "{{" not in page


def test_the_text_begins_with_the_version_and_names_color_and_host(app: App) -> None:
    status, headers, text = app.get("/text")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = text.splitlines()
    assert lines[0] == "version: 1.0"
    assert 'color: tomato"<i>' in lines
    assert f"host: {socket.gethostname()}" in lines


def test_the_headers_of_the_request_are_echoed(app: App) -> None:
    status, _, text = app.get("/headers")
    assert status == 200
    assert f"host: {app.url.removeprefix('http://')}" in text.lower().splitlines()


def test_health_is_ok(app: App) -> None:
    assert app.get("/health")[::2] == (200, "healthy\n")


@pytest.mark.parametrize("page", ["/nope", "/__proto__", "/text/"])
def test_other_pages_are_not_found(app: App, page: str) -> None:
    assert app.get(page)[0] == 404


@pytest.mark.parametrize("page", ["//", "/?x=%00", "/%2e%2e/app.js"])
def test_odd_addresses_do_no_harm(app: App, page: str) -> None:
    app.get(page)
    assert app.get("/health")[0] == 200


def test_it_stops_at_once_when_told_to(app: App) -> None:
    """Keep this last: the server is gone afterwards."""
    app.process.terminate()
    assert app.process.wait(timeout=3) == 0


def test_the_lock_file_pins_everything_and_names_no_registry() -> None:
    folder = CONTEXTS / "01" / "nodejs"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert all(version[0].isdigit() for version in wanted.values())
    installed = {
        name.removeprefix("node_modules/"): package for name, package in packages.items() if name
    }
    assert {name: package["version"] for name, package in installed.items()} == wanted
    for package in installed.values():
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package


def test_hello_brings_its_page_with_it(hello: App) -> None:
    status, headers, page = hello.get("/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>" in page
    assert "<p>Version 1.0</p>" in page
    assert "{{" not in page


def test_hello_tells_its_version_and_its_health_and_nothing_else(hello: App) -> None:
    status, headers, text = hello.get("/text")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert text.splitlines()[0] == "version: 1.0"
    assert hello.get("/health")[::2] == (200, "healthy\n")
    assert [hello.get(page)[0] for page in ("/nope", "/text/", "/page.html")] == [404] * 3


def test_hello_stops_at_once_when_told_to(hello: App) -> None:
    hello.process.terminate()
    assert hello.process.wait(timeout=3) == 0


def test_hello_needs_no_library_of_the_system(hello_program: Path) -> None:
    """An image from scratch has none, not even the loader."""
    assert b"/ld-linux" not in hello_program.read_bytes()


def test_where_says_for_which_platform_it_was_compiled(tmp_path: Path) -> None:
    asked = subprocess.run(
        [tool("go"), "env", "GOOS", "GOARCH"], capture_output=True, text=True, check=True
    )
    program = go_program(CONTEXTS / "03" / "where", tmp_path)
    said = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout
    assert said == f"I was compiled for {'/'.join(asked.stdout.split())}.\n"
