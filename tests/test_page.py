"""The playground as one page, and the command that writes it; browsers open it in ``tests/browser``."""

import base64
import re
import zlib
from functools import cache

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup

from iadb_helpers import UNet, load_pretrained
from iadb_helpers.__main__ import main as package_main
from iadb_helpers.explorer.__main__ import main
from iadb_helpers.explorer.packing import packed
from iadb_helpers.explorer.page import MODULES, PLAYGROUND, WORKER, page
from iadb_helpers.machine import ROOT
from iadb_helpers.weights.files import save_weights
from iadb_helpers.weights.shelf import shipped_path


@cache
def shipped_page() -> str:
    return page(load_pretrained("cpu"))


def test_page_is_whole_and_fetches_nothing():
    soup = BeautifulSoup(shipped_page(), "html.parser")
    assert soup.html["lang"] == "en" and soup.title.text
    assert soup.find("img")["src"].startswith("data:image/png") and len(soup.find("img")["alt"].split()) > 10
    for tag in soup.find_all(["script", "link", "img"]):
        assert tag.get("src", "data:").startswith("data:") and tag.get("href", "data:").startswith("data:")
    assert set(re.findall(r"https?://[^\s\"'`]+", shipped_page())) == {"http://www.w3.org/2000/svg"}  # a name


def test_page_weighs_at_most_two_and_a_half_megabytes():
    assert len(shipped_page().encode()) <= 2.5e6


def parts(text: str) -> tuple[str, list[bytes]]:
    """A page without its packed networks and its still, which another zlib or font may write in other bytes; and the
    networks unpacked.
    """
    encoded = re.compile(r"[A-Za-z0-9+/=]{10000,}")
    unpacked = [zlib.decompress(base64.b64decode(found)) for found in encoded.findall(text) if found.startswith("eN")]
    return encoded.sub("", text), unpacked


def test_the_page_handed_out_is_the_one_that_is_written():
    handed_out = (ROOT / "docs" / "playground.html").read_text(encoding="utf-8")
    assert len(parts(handed_out)[1]) == 3
    assert parts(handed_out) == parts(shipped_page()), "stale: make playground"


def test_no_tag_of_ours_ends_a_script():
    assert len(re.findall("</script>", shipped_page())) == len(re.findall("<script", shipped_page())) == 2


def test_every_module_of_the_script_is_in_the_page():
    names = {each.relative_to(PLAYGROUND).with_suffix("").as_posix() for each in PLAYGROUND.rglob("*.js")}
    assert names == {*MODULES, *WORKER, "check"}


def test_page_command_writes_a_page_of_the_weights_given(tmp_path, capsys):
    out, weights = tmp_path / "out.html", shipped_path("reference_01")
    assert main(["page", str(out), "--weights", str(weights)]) == 0
    assert "opens in any browser" in capsys.readouterr().out
    text = out.read_text(encoding="utf-8")
    assert packed(load_pretrained("cpu", "reference_01"))["network"] in text
    assert packed(load_pretrained("cpu"))["network"] not in text


def test_page_command_names_what_is_wrong(tmp_path, capsys):
    (tmp_path / "folder.html").mkdir()
    save_weights(UNet(channels=8), tmp_path / "small.safetensors", {})
    whole = shipped_path().read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    there = {each.name for each in tmp_path.iterdir()}
    for out, weights, *said in (
        ("out.html", "nowhere.safetensors", "no weights at"),
        ("out.html", tmp_path / "small.safetensors", "small.safetensors", "64 channels, got one of 8"),
        ("out.html", tmp_path / "cut.safetensors", "cut.safetensors"),
        ("folder.html", None, f"could not write {tmp_path / 'folder.html'} (Is a directory)"),
        ("README.md", None, "must be a name that ends in .html"),
    ):
        assert main(["page", str(tmp_path / out), *(["--weights", str(weights)] if weights else [])]) == 1
        told = capsys.readouterr().err
        assert all(part in told for part in said), told
    assert {each.name for each in tmp_path.iterdir()} == there


def test_the_packages_own_command_writes_the_same_page(tmp_path):
    pages = []
    for name, command in (("one.html", main), ("other.html", package_main)):
        assert command(["page", str(tmp_path / name)]) == 0
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_weights_too_large_for_16_bits_are_refused():
    model = load_pretrained("cpu")
    with torch.no_grad():
        model.out.bias.fill_(1e6)
    with pytest.raises(ValueError, match="65,504"):
        packed(model)


def test_weights_are_packed_as_16_bit_floats_in_the_order_of_the_layers():
    model = load_pretrained("cpu")
    halves = np.frombuffer(zlib.decompress(base64.b64decode(packed(model)["network"])), dtype="<f2")
    assert len(halves) == 481_345
    assert halves[-1] == model.out.bias.half().item()
    first = model.down32.weight.permute(2, 3, 1, 0).half().flatten()
    assert torch.equal(torch.from_numpy(halves[: first.numel()].copy()), first)
