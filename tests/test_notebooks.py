"""What nbval cannot see: the series run for real, its pages, and what is defined in view against the package."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import torch
from bs4 import BeautifulSoup
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
from tools import notebooks
from tools.notebooks import SOLUTIONS, execute, main, series
from tools.pages import write_page


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


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A folder with the page of every lesson, as it is stored."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "solutions").mkdir()
    for path in (*series(), *SOLUTIONS.glob("*.ipynb")):
        write_page(Path(shutil.copy(path, folder / path.relative_to(notebooks.NOTEBOOKS))))
    return folder


@pytest.mark.slow
def test_tutorial_samples_the_weights_that_it_trained(tutorial):
    trained = sha256(tutorial / "lesson_03.safetensors")
    sampled = (tutorial / "05_sampling.ipynb").read_text(encoding="utf-8")
    assert trained in sampled
    assert trained != sha256(shipped_path())


@pytest.mark.slow
def test_tutorial_leaves_each_lesson_as_it_ran_and_as_a_page(tutorial):
    for name in ("03_training", "05_sampling"):
        assert (tutorial / f"{name}.ipynb").is_file()
        assert (tutorial / "solutions" / f"{name}.html").is_file()
        assert 'class="jp-RenderedImage' in (tutorial / f"{name}.html").read_text(encoding="utf-8")


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


@pytest.mark.parametrize("name", [path.stem for path in series()])
@pytest.mark.slow
def test_page_fetches_nothing_and_has_its_formulas_typeset(pages, name):
    page = BeautifulSoup((pages / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    fetched = [
        tag.get("src") or tag.get("href") for tag in page.find_all(["script", "img", "link", "iframe", "source"])
    ]
    assert not [address for address in fetched if address and not address.startswith("data:")]
    assert "import(" not in page.text and "@import" not in str(page.find_all("style"))
    assert page.find("math")
    pictures = page.select(".jp-RenderedImage img")
    assert pictures and all(len(picture["alt"].split()) >= 4 for picture in pictures)
    assert not [math.text for math in page("math") if "\\" in math.text]  # a command that was not understood
    markdown = " ".join(cell.text for cell in page.select(".jp-RenderedMarkdown") for code in cell("code") or [cell])
    assert "$" not in markdown
    for link in page.select("a[href]"):
        if link["href"].endswith(".html"):
            assert (pages / link["href"]).is_file()


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


def test_page_has_formulas_as_mathml(tmp_path):
    path = tmp_path / "one.ipynb"
    formula = nbformat.v4.new_markdown_cell(r"inline $x_\alpha$ and" + "\n\n$$\\frac{1}{2}$$")
    nbformat.write(nbformat.v4.new_notebook(cells=[formula]), path)
    page = write_page(path).read_text(encoding="utf-8")
    assert page.count("<math") == 2
    assert "<mfrac" in page and "<msub" in page


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
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
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
    script = "import sys, pathlib; from tools import notebooks; "
    script += f"notebooks.NOTEBOOKS = pathlib.Path({str(tmp_path)!r}); sys.exit(notebooks.main(['tutorial']))"
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


def test_the_checkpoint_of_a_lesson_is_no_commands():
    """A training from the command line must not stand in the way of 03, nor 03 in its way."""
    path = next(path for path in series() if path.name.startswith("03"))
    code = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    names = re.findall(r'results_dir\(\) / "([^"]+)"', code)
    assert "lesson_03.training.safetensors" in names and "weights.training.safetensors" not in names


def test_the_results_do_not_go_into_the_lessons(tmp_path, monkeypatch, capsys):
    lesson_of([], tmp_path)
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path))
    assert main(["tutorial"]) == 1
    assert "IADB_RESULTS must not be" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["99_cells.ipynb"]


@pytest.mark.parametrize("content", ["", '{"cells": [', '{"nbformat": 4, "nbformat_minor": 5, "cells": [{"x": 1}]}'])
def test_a_file_that_is_no_notebook_is_named(tmp_path, monkeypatch, capsys, content):
    (tmp_path / "98_broken.ipynb").write_text(content, encoding="utf-8")
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
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


def test_a_picture_of_a_page_says_in_words_what_it_shows(tmp_path):
    picture = nbformat.v4.new_output("display_data", data={"image/png": "iVBORw0KGgo="})
    told = nbformat.v4.new_code_cell(outputs=[picture], metadata={"mystnb": {"image": {"alt": """it's <b> & "so\""""}}})
    path = tmp_path / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[told, nbformat.v4.new_code_cell(outputs=[picture])]), path)
    page = BeautifulSoup(write_page(path).read_text(encoding="utf-8"), "html.parser")
    assert [img["alt"] for img in page.select(".jp-RenderedImage img")][0] == """it's <b> & "so\""""
