"""PRoot's source: fetched as apt does, or refused; and what a failed build leaves."""

import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerlab.bases import proot
from layerlab.bases.sources import MIRROR_VARIABLE
from layerlab.errors import CommandFailedError

needs_apt = pytest.mark.skipif(
    not Path(proot.HELPER).exists(), reason="only Debian and Ubuntu fetch with apt"
)


def archive(path: Path, makefile: str) -> Path:
    """Something of the same shape as PRoot's source."""
    files = {"src/GNUmakefile": makefile}
    for name, line, _ in proot.CHANGES:
        files[name] = files.get(name, "") + line
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"proot-0/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """A mirror on loopback that has something else in the place of PRoot's source."""
    (tmp_path / proot.ARCHIVE).parent.mkdir(parents=True)
    archive(tmp_path / proot.ARCHIVE, "")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class TestFetch:
    @needs_apt
    def test_what_is_something_else_is_refused(self, mirror: str, tmp_path: Path) -> None:
        with pytest.raises(CommandFailedError) as raised:
            proot.fetch(mirror, tmp_path / "got")
        assert raised.value.code == "proot-source"
        assert "Hash Sum mismatch" in raised.value.output

    @needs_apt
    def test_what_is_gone_is_told(self, mirror: str, tmp_path: Path) -> None:
        with pytest.raises(CommandFailedError, match="could not be fetched") as raised:
            proot.fetch(f"{mirror}/nowhere", tmp_path / "got")
        assert raised.value.code == "proot-source"
        assert not (tmp_path / "got").exists()


class TestBuild:
    def test_every_change_is_made(self, tmp_path: Path) -> None:
        made = "loader.elf build.h:\nproot:\n\tcat tracee/*.c syscall/*.c >proot\n"
        program = proot.build(archive(tmp_path / "source.tar.gz", made), tmp_path)
        text = program.read_text()
        for _, line, added in proot.CHANGES:
            assert text.count(line) == text.count(line + added) == 1

    def test_a_failure_is_told_with_its_output(self, tmp_path: Path) -> None:
        makefile = "loader.elf:\n\techo no such header; exit 1\n"
        with pytest.raises(CommandFailedError) as raised:
            proot.build(archive(tmp_path / "source.tar.gz", makefile), tmp_path)
        assert raised.value.code == "proot-build"
        assert "no such header" in raised.value.output


class TestEnsure:
    def test_what_is_there_is_taken(self, tmp_path: Path) -> None:
        target = tmp_path / "proot-0" / "proot"
        target.parent.mkdir()
        target.write_text("built before")
        proot.ensure(target, {}, pytest.fail)
        assert target.read_text() == "built before"

    @pytest.mark.parametrize("trouble", [CommandFailedError("no", code="no"), KeyboardInterrupt()])
    def test_nothing_half_is_left(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: BaseException
    ) -> None:
        def build(_archive: Path, folder: Path) -> Path:
            (folder / "half").touch()
            raise trouble

        monkeypatch.setattr(proot, "need_compiler", lambda _say: None)
        monkeypatch.setattr(proot, "fetch", lambda _mirror, target: target.touch())
        monkeypatch.setattr(proot, "build", build)
        with pytest.raises(type(trouble)):
            proot.ensure(tmp_path / "p" / "proot", {MIRROR_VARIABLE: "http://x.invalid"}, print)
        assert [path.name for path in (tmp_path / "p").iterdir()] == ["lock"]

    def test_what_a_killed_build_has_left_goes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def build(_archive: Path, folder: Path) -> Path:
            (folder / "made").touch()
            return folder / "made"

        (tmp_path / "build-1234").mkdir()
        (tmp_path / "build-1234/half").touch()
        monkeypatch.setattr(proot, "need_compiler", lambda _say: None)
        monkeypatch.setattr(proot, "fetch", lambda _mirror, target: target.touch())
        monkeypatch.setattr(proot, "build", build)
        proot.ensure(tmp_path / "proot", {MIRROR_VARIABLE: "http://x.invalid"}, print)
        assert {path.name for path in tmp_path.iterdir()} == {"lock", "proot"}
