"""What nbval cannot see: the series run for real, its pages, and what is defined in view against the package."""

import ast
import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn
from torch.nn.functional import relu
from torch.utils.data import Subset
from tqdm import tqdm

from iadb_helpers import UNet, blend, load_mnist, load_pretrained, machine, weights
from iadb_helpers.exact import exact_tangent
from iadb_helpers.history import History
from iadb_helpers.machine import ROOT
from iadb_helpers.machine.tensor_files import read_tensors, sha256
from iadb_helpers.weights import shipped_path
from tools import lessons, notebooks
from tools.lessons import NOTEBOOKS, series
from tools.notebooks import execute, main, with_a_palette


def in_view(number: str, *names: str, **more) -> list:
    """The functions or classes of these names, as a notebook defines them; ``more`` is what else they may use."""
    path = next(path for path in series() if path.name.startswith(number))
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    known = {"torch": torch, "nn": nn, "relu": relu, "blend": blend, "tqdm": tqdm} | more
    for source in cells:
        wanted = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        exec(compile(ast.Module(wanted, type_ignores=[]), str(path.name), "exec"), known)
    return [known[name] for name in names]


@pytest.fixture
def pair():
    """Noise, other noise in the place of digits, and α."""
    generator = torch.Generator().manual_seed(0)
    x0, x1 = torch.randn(2, 4, 1, 32, 32, generator=generator)
    return x0, x1, torch.rand(4, generator=generator)


def test_network_in_view_is_the_packages(pair):
    (MyUNet,) = in_view("02", "MyUNet")
    mine, theirs = MyUNet(), load_pretrained("cpu")
    with torch.no_grad():
        for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
            p.copy_(q)
    torch.testing.assert_close(mine(pair[0], pair[2]), theirs(pair[0], pair[2]), rtol=1e-4, atol=1e-4)


def test_tangent_in_view_is_the_packages():
    (tangent_by_hand,) = in_view("A1", "tangent_by_hand")
    x, points = (torch.randn(n, 2, generator=torch.Generator().manual_seed(n)) for n in (5, 7))
    for alpha in (0.0, 0.3, 0.9):
        torch.testing.assert_close(tangent_by_hand(x, alpha, points), exact_tangent(x, alpha, points))


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    """The folder that ``make tutorial`` leaves, in the quick profile, of the lessons that hand weights on."""
    folder = tmp_path_factory.mktemp("tutorial")
    subprocess.run(
        [sys.executable, "-m", "tools.notebooks", "tutorial", "03", "05"],
        check=True,
        cwd=folder,  # not the checkout: files are found from there anyhow
        env={**os.environ, "IADB_RESULTS": str(folder), "IADB_WEIGHTS": "", "PYTHONPATH": str(ROOT)},
        timeout=600,
    )
    return folder


@pytest.mark.slow
def test_tutorial_samples_the_weights_that_it_trained(tutorial):
    trained = sha256(tutorial / "lesson_03.safetensors")
    sampled = (tutorial / "05_sampling.ipynb").read_text(encoding="utf-8")
    assert trained in sampled
    assert trained != sha256(shipped_path())


@pytest.mark.slow
def test_tutorial_leaves_each_lesson_as_it_ran_and_as_a_page(tutorial):
    start = (tutorial / "index.html").read_text(encoding="utf-8")
    assert "<h1>Your run" in start and "These did not run here." in start
    digits = (tutorial / "generated_mnist.png").read_bytes()
    for name in ("03_training", "05_sampling"):
        ran, page = tutorial / f"{name}.ipynb", tutorial / "notebooks" / f"{name}.html"
        assert ran.read_bytes() != (NOTEBOOKS / ran.name).read_bytes()
        assert ran.read_bytes() == page.with_suffix(".ipynb").read_bytes()
        assert 'class="figure only-light"' in page.read_text(encoding="utf-8")
        assert start.index(f'notebooks/{name}.html"><span') < start.index("These did not run here.")
    assert digits in [path.read_bytes() for path in (tutorial / "figures").iterdir()]


def test_some_lessons_can_be_asked_for_and_one_that_is_none_is_named(capsys):
    assert [path.name[:2] for path in series(["05", "A1", "03"])] == ["03", "05", "A1"]
    assert main(["tutorial", "03", "77"]) == 1
    assert "77" in capsys.readouterr().err


@pytest.mark.slow
def test_tutorial_leaves_the_digits_as_picture_and_animation(tutorial):
    from PIL import Image

    with Image.open(tutorial / "generated_mnist.png") as picture:
        assert picture.width == picture.height  # 8 × 8
        assert picture.getextrema()[0] < picture.getextrema()[1]
    with Image.open(tutorial / "generated_mnist.gif") as animation:
        assert animation.n_frames > 10
        assert animation.info["loop"] == 0


@pytest.mark.slow
def test_execute_names_the_failing_cell_and_keeps_no_times_of_day(tmp_path):
    from nbclient.exceptions import CellExecutionError

    path = tmp_path / "one.ipynb"
    good = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("6 * 7")])
    nbformat.write(good, path)
    executed = execute(path, progress=False)
    assert executed.cells[0].outputs[0].data["text/plain"] == "42"
    assert "execution" not in executed.cells[0].metadata
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), path)
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute(path, progress=False)


@pytest.mark.slow
def test_execute_keeps_what_a_widget_shows_without_a_kernel(tmp_path):
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "gone"}, "text/html": "<b>still here</b>"}
    path = tmp_path / "one.ipynb"
    code = f"from IPython.display import display\ndisplay({widget}, raw=True)"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), path)
    (output,) = execute(path, progress=False).cells[0].outputs
    assert output.data == {"text/html": "<b>still here</b>"}


@pytest.mark.parametrize("path", series(), ids=lambda path: path.stem)
def test_stored_notebook_carries_its_lesson(path):
    notebook = nbformat.read(path, as_version=4)
    assert "widgets" not in notebook.metadata
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))  # one run, top to bottom
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    all_of_mnist = path.name[:2] in ("01", "03", "07")  # the others load no training digits, or the embedded ones
    assert "60,000 training digits" in str(code) or not all_of_mnist
    assert path.stat().st_size < 1.5e6
    assert str(ROOT) not in path.read_text(encoding="utf-8")


def test_untrained_network_is_not_what_ships():
    """A guard for the tests above: they compare networks, which says little if both were constant."""
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    fresh, shipped = UNet(), load_pretrained("cpu")
    with torch.no_grad():
        assert shipped(x, 0.5).std() > 5 * fresh(x, 0.5).std()


def test_where_there_are_no_notebooks_it_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lessons, "NOTEBOOKS", tmp_path)
    for what in ("tutorial", "store"):
        assert main([what]) == 1
        assert "run this from a checkout" in capsys.readouterr().err


def lesson_of(cells: list[str], folder: Path) -> Path:
    """A notebook of some cells of code."""
    path = folder / "99_cells.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


TRAINS = """
import torch
from torch.utils.data import TensorDataset
from iadb_helpers import UNet, train
images = TensorDataset(torch.randn(64, 1, 32, 32), torch.zeros(64))
train(UNet(), images, periods=10**6, device="cpu", checkpoint={checkpoint!r})
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("again", range(2))
def test_ctrl_c_in_a_training_saves_it_and_says_so(tmp_path, number, again):
    """The later cells are not run: they would take the half trained network for the whole one."""
    checkpoint = tmp_path / "t.safetensors"
    lesson_of([TRAINS.format(checkpoint=str(checkpoint)), f"open({str(tmp_path / 'later')!r}, 'w').close()"], tmp_path)
    script = "import sys, pathlib; from tools import lessons, notebooks; "
    script += f"lessons.NOTEBOOKS = pathlib.Path({str(tmp_path)!r}); sys.exit(notebooks.main(['tutorial']))"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "IADB_RESULTS": str(tmp_path / "results"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(600):
        if checkpoint.is_file():
            break
        time.sleep(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "interrupted; the next run goes on with a training that had begun"
    assert "Traceback" not in err and "Error" not in err
    assert read_tensors(checkpoint)[1]["step"] >= 1
    assert not (tmp_path / "later").exists()


READS = """
import json, locale
assert "utf" not in locale.getpreferredencoding(False).lower()
from iadb_helpers import evaluation, weights
from iadb_helpers.explorer import scrubber, deblending_frames
import torch
for name in ("trials in equal time", "quality of 2,000", "long training", "guidance"):
    evaluation.measured(name)
weights.read_card(weights.shipped_path())
frames = deblending_frames(lambda x, alpha: x, torch.randn(1, 1, 32, 32), 1)
assert chr(945) in scrubber(frames)._repr_html_()
print(json.dumps(list(evaluation.measured("guidance")["report"]["sets"])))
"""


@pytest.mark.slow
def test_what_lessons_read_is_read_as_utf_8_wherever_the_system_thinks_otherwise():
    """Under cp1252, 03 lost a key and died after its training."""
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    for strict in ({}, {"PYTHONWARNDEFAULTENCODING": "1", "PYTHONWARNINGS": "error::EncodingWarning:iadb_helpers"}):
        done = subprocess.run(
            [sys.executable, "-c", READS], env=environment | strict, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "away from the Gaussian, 0.4" in json.loads(done.stdout)


def test_a_stored_picture_has_a_palette_and_looks_as_before():
    from PIL import Image

    drawn = Image.effect_noise((64, 64), 50).convert("RGBA")
    before, after = io.BytesIO(), None
    drawn.save(before, "PNG")
    after = base64.b64decode(with_a_palette(base64.b64encode(before.getvalue()).decode()))
    with Image.open(io.BytesIO(after)) as stored:
        assert stored.mode == "P" and stored.size == (64, 64)
        assert list(stored.convert("L").get_flattened_data()) == list(drawn.convert("L").get_flattened_data())
    assert len(after) < len(before.getvalue()) / 2


@pytest.mark.parametrize("path", series(), ids=lambda path: path.stem)
def test_figures_are_stored_sharp(path):
    """With twice the pixels of the size at which they are shown."""
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                width = int.from_bytes(base64.b64decode(output.data["image/png"])[16:20], "big")
                assert width >= 2 * output.metadata["image/png"]["width"] - 2


@pytest.mark.parametrize(
    "path", sorted(NOTEBOOKS.glob("**/*.ipynb")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_stored_picture_says_in_words_what_it_shows(path):
    """In its cell's metadata, where a run leaves it; of two pictures in a cell it would say the same."""
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        pictures = sum(lessons.PNG in output.get("data", {}) for output in cell.get("outputs", ()))
        words = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "").split()
        assert pictures <= 1, f"cell {number}: {pictures} pictures share one alt text"
        assert not pictures or 10 <= len(words) <= 80, f"cell {number}: {len(words)} words of alt text"


def raise_error(error: Exception):
    raise error


def test_the_pages_of_a_tutorial_that_fails_are_of_what_ran_before(tmp_path, monkeypatch, capsys):
    from nbclient.exceptions import CellExecutionError

    """And those of an earlier run stay what they were."""
    written = []
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path))
    monkeypatch.setattr(notebooks, "build", lambda out, front, ran: written.append((out, sorted(ran))))
    (tmp_path / "07_how_good_is_it.ipynb").write_text("of an earlier run", encoding="utf-8")

    def executed(path):
        if path.name.startswith("02"):
            raise CellExecutionError("", "ZeroDivisionError", "division by zero")
        return nbformat.v4.new_notebook()

    monkeypatch.setattr(notebooks, "execute", executed)
    assert main(["tutorial"]) == 1
    assert written == [(tmp_path, ["00_the_idea.ipynb", "01_data_loading.ipynb", "07_how_good_is_it.ipynb"])]
    assert (tmp_path / "07_how_good_is_it.ipynb").read_text(encoding="utf-8") == "of an earlier run"
    capsys.readouterr()
    monkeypatch.setattr(notebooks, "build", lambda out, front, ran: raise_error(ValueError("no pages")))
    assert main(["tutorial"]) == 1
    error = capsys.readouterr().err
    assert "division by zero" in error and "no pages" not in error  # what failed in the lesson is the news


def test_the_checkpoint_of_a_lesson_is_no_commands():
    """A training from the command line must not stand in the way of 03, nor 03 in its way."""
    path = next(path for path in series() if path.name.startswith("03"))
    code = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    names = re.findall(r'results_dir\(\) / "([^"]+)"', code)
    assert "lesson_03.training.safetensors" in names and "weights.training.safetensors" not in names


def test_the_results_do_not_go_into_the_lessons(monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "execute", lambda path: pytest.fail(f"{path} was run"))
    for folder in (NOTEBOOKS, ROOT):
        monkeypatch.setenv("IADB_RESULTS", str(folder))
        assert main(["tutorial"]) == 1
        assert "IADB_RESULTS must not be" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", '{"cells": [', '{"nbformat": 4, "nbformat_minor": 5, "cells": [{"x": 1}]}'])
def test_a_file_that_is_no_notebook_is_named(tmp_path, monkeypatch, capsys, content):
    (tmp_path / "98_broken.ipynb").write_text(content, encoding="utf-8")
    monkeypatch.setattr(lessons, "NOTEBOOKS", tmp_path)
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path / "results"))
    assert main(["tutorial"]) == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert error[0].startswith("error: ") and "98_broken.ipynb is no notebook" in error[0]


def test_a_lesson_writes_no_weights_of_a_training_that_is_not_finished(tmp_path, monkeypatch, capsys):
    """Nor does it fail when its cell is run twice."""
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path))
    path = next(path for path in series() if path.name.startswith("03"))
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    (saving,) = [source for source in cells if "save_weights" in source]
    known = {
        "machine": machine,
        "weights": weights,
        "asdict": lambda recipe: {"name": "mine"},
        "recipe": None,
        "mine": UNet(4),
        "digits": Subset(load_mnist(source="embedded"), range(4)),
        "device": torch.device("cpu"),
        "checkpoint": tmp_path / "lesson_03.training.safetensors",
    }
    known["checkpoint"].touch()
    exec(saving, known | {"history": History(losses=[1.0], interrupted=True)})
    assert [each.name for each in tmp_path.iterdir()] == ["lesson_03.training.safetensors"]
    for _ in range(2):
        exec(saving, known | {"history": History(losses=[1.0])})
        assert {each.name for each in tmp_path.iterdir()} == {"lesson_03.safetensors", "lesson_03.json"}


def test_what_is_stored_comes_from_a_fixed_number_of_threads_and_the_shipped_weights(monkeypatch):
    monkeypatch.setattr(notebooks, "series", lambda lessons: [])
    monkeypatch.setenv("IADB_WEIGHTS", "mine.safetensors")
    for given, expected in ((None, str(torch.get_num_threads())), ("7", "7")):
        monkeypatch.setenv("IADB_THREADS", "set, so that it is put back")
        monkeypatch.delenv("IADB_THREADS") if given is None else monkeypatch.setenv("IADB_THREADS", given)
        assert notebooks.store() == {} and os.environ["IADB_THREADS"] == expected
        assert os.environ["IADB_WEIGHTS"] == str(shipped_path())


def test_stored_are_the_lesson_and_the_solutions_of_its_exercises(tmp_path, monkeypatch):
    monkeypatch.setenv("IADB_WEIGHTS", "set, so that it is put back")
    monkeypatch.setattr(notebooks, "series", lambda lessons: [tmp_path / "98_a.ipynb", tmp_path / "99_b.ipynb"])
    monkeypatch.setattr(notebooks, "SOLUTIONS", tmp_path / "solutions")
    monkeypatch.setattr(notebooks, "execute", lambda path: nbformat.v4.new_notebook(metadata={"ran": path.parent.name}))
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "99_b.ipynb").touch()
    assert notebooks.store().keys() == {"98_a", "99_b"}
    stored = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.ipynb")}
    assert stored == {"98_a.ipynb", "99_b.ipynb", "solutions/99_b.ipynb"}
    assert nbformat.read(tmp_path / "solutions" / "99_b.ipynb", as_version=4).metadata["ran"] == "solutions"
