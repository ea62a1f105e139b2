"""`mlhub.log_artifact`, `log_text`, `log_image`, `log_table`: what is kept, under which name, and how it is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import mlhub
from mlhub import artifacts

if TYPE_CHECKING:
    from tests.conftest import Cli


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("MLHUB_RUN_DIR", str(folder))
    return folder


def pixels(run: Path) -> np.ndarray:
    (found,) = artifacts.read(run)
    with Image.open(found.path) as image:
        return np.asarray(image)


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        return image.size


def test_a_text_is_kept_with_its_name_and_step(run: Path) -> None:
    mlhub.log_text("samples/dog", "a dog\n한", step=7)
    (found,) = artifacts.read(run)
    assert (found.kind, found.name, found.step, found.file) == ("text", "samples/dog", 7, "samples_dog-step7.txt")
    assert Path(found.path).read_text() == "a dog\n한"
    assert found.bytes == 9
    assert Path(found.path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", ".", "..", "x" * 10_000, "a\0b", "\ud800",
                                  "\x1b[2J\n", ".hidden", "con:*?", "-rf", "한글"])  # fmt: skip
def test_no_name_leaves_the_folder(run: Path, name: str) -> None:
    mlhub.log_text(name, "mine")
    mlhub.log_text(name, "second")
    inside = sorted(os.listdir(run / "artifacts"))
    assert len(inside) == 2
    assert sorted(os.listdir(run)) == ["artifacts", "artifacts.jsonl"]
    found = artifacts.read(run)
    assert [Path(one.path).read_text() for one in found] == ["mine", "second"]
    assert {one.name for one in found} == {name.encode(errors="replace").decode()}
    assert all(not file.startswith((".", "-")) and len(file) < 150 for file in inside)


def test_a_file_is_a_copy_with_its_ending(run: Path, tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"x" * 10)
    mlhub.log_artifact(tmp_path / "model.tar.gz")
    mlhub.log_artifact(str(tmp_path / "model.tar.gz"), "best", step=3)
    (tmp_path / "model.tar.gz").write_bytes(b"changed")
    first, second = artifacts.read(run)
    assert (first.file, second.file, second.name) == ("model.tar.gz", "best-step3.gz", "best")
    assert Path(first.path).read_bytes() == b"x" * 10


def test_a_folder_is_kept_whole(run: Path, tmp_path: Path) -> None:
    (tmp_path / "hf" / "inner").mkdir(parents=True)
    (tmp_path / "hf" / "config.json").write_text("{}")
    (tmp_path / "hf" / "inner" / "w").write_text("12345")
    mlhub.log_artifact(tmp_path / "hf")
    mlhub.log_artifact(tmp_path / "hf")
    first, second = artifacts.read(run)
    assert (first.bytes, first.kind) == (7, "file")
    assert (Path(second.path) / "inner" / "w").read_text() == "12345"
    assert first.file != second.file


def test_what_is_not_there_or_no_file_is_the_caller_s_mistake(run: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        artifacts.keep_file(run, tmp_path / "none")
    for call in (artifacts.keep_file, lambda run, path: artifacts.keep_image(run, "x", path)):
        with pytest.raises(ValueError, match="neither a file nor a folder"):
            call(run, tmp_path / "pipe")
    with pytest.raises(ValueError, match="own folder"):
        artifacts.keep_file(run, tmp_path)
    assert artifacts.read(run) == []


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4), (3, 4, 6), (1, 4, 6)])
def test_an_array_of_any_layout_becomes_its_picture(run: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    mlhub.log_image("x", array)
    upright = array.transpose(1, 2, 0) if shape[0] in (1, 3) else array
    np.testing.assert_array_equal(pixels(run), upright.squeeze())


def test_floats_count_from_0_to_1_and_what_is_beyond_is_cut(run: Path) -> None:
    mlhub.log_image("x", np.array([[0.0, 0.5, 1.0, -3.0, 9.0, np.nan, np.inf]], dtype=np.float16))
    assert pixels(run).tolist() == [[0, 128, 255, 0, 255, 0, 255]]


@pytest.mark.parametrize("kind", ["int8", "int64", "bool"])
def test_whole_numbers_and_truth_values_are_pixels_too(run: Path, kind: str) -> None:
    mlhub.log_image("x", np.array([[0, 1, 100]]).astype(kind))
    assert pixels(run).tolist() == [[0, 255, 255] if kind == "bool" else [0, 1, 100]]


def test_tensors_are_pictures_without_numpy_s_help(run: Path) -> None:
    torch = pytest.importorskip("torch")
    image = torch.rand(3, 14, 15, requires_grad=True)
    mlhub.log_image("x", image.to(torch.bfloat16))
    mlhub.log_image("x", image.detach() > 0.5)
    mlhub.log_image("x", (image.detach() * 255).byte().permute(1, 2, 0))
    assert [size(one.path) for one in artifacts.read(run)] == [(15, 14)] * 3


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK", "F", "I;16"])
def test_pictures_of_pillow_in_every_mode(run: Path, mode: str) -> None:
    mlhub.log_image("x", Image.new(mode, (3, 2)), caption="nothing\nat all")
    (found,) = artifacts.read(run)
    assert size(found.path) == (3, 2)
    assert found.caption == "nothing\nat all"


def test_a_picture_s_file_is_kept_as_what_it_is(run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (3, 2)).save(tmp_path / "wrong.txt", format="JPEG")
    mlhub.log_image("x", tmp_path / "wrong.txt")
    (tmp_path / "evil.png").write_text("<svg onload=alert(1)>")
    with pytest.raises(ValueError, match="no PNG"):
        artifacts.keep_image(run, "x", tmp_path / "evil.png")
    assert [one.file for one in artifacts.read(run)] == ["x.jpg"]


@pytest.mark.parametrize("image", [np.zeros(3), np.zeros((2, 3, 4, 5)), np.zeros((5, 6, 7)), np.zeros((0, 4))])
def test_another_shape_is_refused(run: Path, image: Any) -> None:
    with pytest.raises(ValueError, match="a picture"):
        artifacts.keep_image(run, "x", image)
    with pytest.raises(TypeError):
        artifacts.keep_image(run, "x", [[1, 2]])


def test_a_table_keeps_numbers_texts_and_words_for_what_json_lacks(run: Path) -> None:
    mlhub.log_table("t", ["a", "b"], ([value, None] for value in (1, True, np.float32(0.5), float("nan"), "x", [1])))
    (found,) = artifacts.read(run)
    assert (found.columns, found.rows) == (("a", "b"), 6)
    columns, rows = artifacts.read_table(found.path)
    assert columns == ["a", "b"]
    assert [row[0] for row in rows] == [1, True, 0.5, "NaN", "x", "[1]"]
    with pytest.raises(ValueError, match="row 1 has 1 cells"):
        artifacts.keep_table(run, "t", ["a", "b"], [[1, 2], [1]])


def test_outside_a_run_all_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLHUB_RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    mlhub.log_artifact("no such file")
    mlhub.log_text("a", "b")
    mlhub.log_image("a", None)
    mlhub.log_table("a", [], [])
    assert os.listdir(tmp_path) == []


def test_of_a_removed_run_nothing_is_made_anew(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run.rmdir()
    mlhub.log_text("a", "b")
    assert not run.exists()
    assert "mlhub: not recorded: log_text: FileNotFoundError" in capsys.readouterr().err


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="mounts a small tmpfs")
def test_a_full_disk_loses_the_artifact_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=True)
    try:
        monkeypatch.setenv("MLHUB_RUN_DIR", str(disk))
        mlhub.log_text("small", "x")
        mlhub.log_text("large", "x" * 1_000_000)
        mlhub.log_text("small", "y")
        assert [Path(one.path).read_text() for one in artifacts.read(disk)] == ["x", "y"]
        assert len(os.listdir(disk / "artifacts")) == 2
        assert "No space left" in capsys.readouterr().err
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


FORKS = """
import os, mlhub
pids = []
for child in range(8):
    pid = os.fork()
    if not pid:
        for number in range(25):
            mlhub.log_text("same", f"{child}-{number}")
        os._exit(0)
    pids.append(pid)
for pid in pids: os.waitpid(pid, 0)
"""


def test_eight_forks_never_clash(run: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKS], check=True)
    found = artifacts.read(run)
    assert {Path(one.path).read_text() for one in found} == {f"{c}-{n}" for c in range(8) for n in range(25)}


def test_a_kill_amid_the_writing_leaves_no_half_file_to_be_seen(run: Path) -> None:
    script = "import mlhub, os\nfor n in range(10**6): mlhub.log_text('t', 'x' * 100_000); print(n, flush=True)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while process.stdout.readline() != b"20\n":
            pass
        process.kill()
    found = artifacts.read(run)
    assert len(found) >= 20
    assert {Path(one.path).stat().st_size for one in found} == {100_000}


HOSTILE = [
    b'{"kind":"text","name":"out","file":"../secret"}', b'{"kind":"text","name":"out","file":"/etc/passwd"}',
    b'{"kind":"text","name":"link","file":"link"}', b'{"kind":"text","name":"gone","file":"gone.txt"}',
    b'{"kind":"evil","name":"x","file":"a.txt"}', b'{"kind":"text","name":[],"file":"a.txt"}', b"[1]", b"{" * 100_000,
    b'{"kind":"text","name":"x","file":"a\\u0000.txt"}', b'{"kind":"text","name":"x","file":".."}', b"\xff\xfe",
    b'{"kind":"image","name":"inf","file":"a.txt","step":1e999,"time":"x","caption":5,"columns":3,"rows":{}}',
    b'{"kind":"text","name":"torn',
]  # fmt: skip


def test_a_hostile_index_leads_nowhere(run: Path) -> None:
    (run / "secret").write_text("s")
    (run / "artifacts").mkdir()
    (run / "artifacts" / "a.txt").write_text("a")
    (run / "artifacts" / "link").symlink_to("/etc/passwd")
    (run / "artifacts.jsonl").write_bytes(b"\n".join(HOSTILE))
    (found,) = artifacts.read(run)
    assert (found.kind, found.file, found.step, found.time, found.caption) == ("image", "a.txt", None, None, None)
    mlhub.log_text("after", "b")  # and is not swallowed by the torn line
    assert [one.name for one in artifacts.read(run)] == ["inf", "after"]


def test_files_nobody_listed_are_listed_too(run: Path) -> None:
    (run / "artifacts").mkdir()
    (run / "artifacts" / "eval.json").write_text("{}")
    (run / "artifacts" / ".half.tmp").write_text("{}")
    mlhub.log_text("t", "x")
    assert [(one.kind, one.name) for one in artifacts.read(run)] == [("text", "t"), ("file", "eval.json")]


def test_what_is_no_table_is_said_to_be_none(tmp_path: Path) -> None:
    for text in ("[]", '{"columns":[],"rows":[1]}', "{", '{"columns":["a"],"rows":"x"}'):
        (tmp_path / "t.json").write_text(text)
        with pytest.raises(ValueError, match=r"no table|Expecting"):
            artifacts.read_table(tmp_path / "t.json")
    with pytest.raises(ValueError, match="more than 1 bytes"):
        artifacts.read_table(tmp_path / "t.json", limit=1)


def test_show_lists_them_for_people_and_programs(cli: Cli) -> None:
    script = "import mlhub; mlhub.log_text('\\x1b[2Jtext', 'x' * 1500, step=3); mlhub.log_table('t', ['a'], [[1], [2]])"
    cli("run", "--wait", "--", sys.executable, "-c", script)
    tree = cli.json("show")
    assert (tree["artifacts"][0]["kind"], tree["artifacts"][0]["bytes"]) == ("text", 1500)
    assert tree["artifacts"][1]["columns"] == ["a"]
    assert Path(tree["artifacts"][1]["path"]).exists()
    shown = cli("show").stdout
    assert "\x1b" not in shown
    assert any(line.split()[:4] == ["text", "text", "3", "1.5"] for line in shown.splitlines())
    assert all(len(line) <= 80 for line in shown.splitlines() if "folder" not in line and "command" not in line)


def test_it_runs_without_the_hub_s_own_packages() -> None:
    script = "import sys; sys.path.insert(0, 'src'); import mlhub.artifacts, mlhub.png; print(json.dumps(1))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import json;" + script], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == 1
