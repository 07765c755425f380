from pathlib import Path

from layerlab.model.build import Build, reduce
from layerlab.model.events import Log, StepUpdate
from layerlab.workspace import KEEP, Recorder, Workspace, home


def build(id_: str) -> Build:
    return Build(id=id_, engine="docker", tags=("a:b",), started=1.0)


def test_home_is_named_or_the_data_folder() -> None:
    assert home({"LAYERLAB_HOME": "/x"}) == Path("/x")
    assert home({"XDG_DATA_HOME": "/data"}) == Path("/data/layerlab")


def test_ids_sort_by_time(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    moments = (0.5, 1.25, 1.250001, 1e9, 1.8e9)
    assert sorted(ids := [workspace.new_id(moment) for moment in moments]) == ids


def test_a_saved_build_comes_back_equal(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    saved = reduce(build("1"), StepUpdate(at=1, step="s/1", kind="run", started=1.0, completed=2.0))
    workspace.save(saved)
    assert workspace.builds() == [saved]


def test_a_damaged_build_is_passed_over(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.save(build("1"))
    workspace.save(build("2"))
    (workspace.folder("1") / "build.json").write_bytes(b'{"id": "1", "eng')
    assert [found.id for found in workspace.builds()] == ["2"]


def test_the_oldest_make_room(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for number in range(KEEP + 5):
        workspace.save(build(f"{number:03}"))
    workspace.make_room()
    assert next(iter(workspace.builds())).id == "005"


def test_the_recorder_writes_output_after_the_name_of_its_step(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    recorder = Recorder(workspace)
    state = recorder.start(build("1"))
    for event in (
        StepUpdate(at=1, step="b/2", kind="run", stage="b", n=2, m=3, started=1.0),
        Log(at=1, step="b/2", text="one\ntw"),
        Log(at=1, step="b/2", text="o\n"),
    ):
        state = reduce(state, event)
        recorder.event(event, state)
    recorder.finish(state)
    assert state.log_file is not None
    assert Path(state.log_file).read_text() == "[b 2/3] one\n[b 2/3] two\n"
    assert workspace.builds() == [state]


def test_a_workspace_that_cannot_be_written_costs_the_log_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    recorder = Recorder(Workspace(tmp_path / "file"))
    state = recorder.start(build("1"))
    assert state.log_file is None
    event = Log(at=1, step="s", text="x\n")
    recorder.event(event, reduce(state, event))
    recorder.finish(state)
