"""The explorer as a page of its own, and the command that writes it; a browser opens it in ``tests/browser``."""

import pytest
from bs4 import BeautifulSoup

from iadb_helpers import load_pretrained
from iadb_helpers.__main__ import main as package_main
from iadb_helpers.explorer import page as page_module
from iadb_helpers.explorer.__main__ import main
from iadb_helpers.explorer.fragment import payload
from iadb_helpers.explorer.frames import deblending_frames, draw_noise
from iadb_helpers.explorer.page import page
from iadb_helpers.weights.shelf import shipped_path


@pytest.fixture
def frames():
    return deblending_frames(lambda x, alpha: 1 - x, draw_noise(2, seed=0), 4)


def test_page_is_whole_and_fetches_nothing(frames):
    soup = BeautifulSoup(page(frames), "html.parser")
    assert soup.html["lang"] == "en" and soup.title.text
    assert soup.find("img")["src"].startswith("data:image/png") and len(soup.find("img")["alt"].split()) > 10
    assert not [tag for tag in soup.find_all(["script", "link", "img"]) if tag.get("src", "data:")[:5] != "data:"]
    assert not soup.find_all("link")
    assert "$" not in soup.main.find("p").text


def test_page_command_writes_a_page_of_the_weights_given(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(page_module, "MAX_STEPS", 2)
    out, weights = tmp_path / "out.html", shipped_path("reference_01")
    assert main(["page", str(out), "--weights", str(weights), "--digits", "2"]) == 0
    assert "opens in any browser" in capsys.readouterr().out
    text = out.read_text(encoding="utf-8")
    expected = deblending_frames(load_pretrained("cpu", "reference_01"), draw_noise(2, seed=0), 2)
    assert payload(expected, ("x1_hat",))["panels"][0]["ends"] in text


def test_page_command_names_what_is_wrong(tmp_path, capsys):
    (tmp_path / "folder.html").mkdir()
    for out, more, said in (
        ("out.html", ["--weights", "nowhere.safetensors"], "no weights at"),
        ("folder.html", [], f"could not write {tmp_path / 'folder.html'} (Is a directory)"),
        ("README.md", [], "must be a name that ends in .html"),
    ):
        assert main(["page", str(tmp_path / out), *more]) == 1
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["page", str(tmp_path / "out.html"), "--digits", "99"])
    assert "1 to 64" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["folder.html"]


def test_the_packages_own_command_writes_the_same_page(tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "MAX_STEPS", 1)
    monkeypatch.setattr("secrets.token_hex", lambda n: "the-same")
    pages = []
    for name, command in (("one.html", main), ("other.html", package_main)):
        assert command(["page", str(tmp_path / name), "--digits", "1"]) == 0
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]
