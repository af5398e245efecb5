"""The checks of a finished site, each on a site that has that fault and no other."""

import sys

import pytest

from iadb_helpers.machine import ROOT
from tools.site.checks import faults

GOOD = """<!DOCTYPE html><title>A page</title><script src="a.js"></script>
<h1 id="top">A page</h1><a href="sub/b.html#there">b</a> <a href="#top">up</a> <a href="https://arxiv.org/abs/1">paper</a>
<code>$HOME</code><a href="docs/playground.html#view=steps">play</a><img src="data:image/png;base64,x" alt="">"""


@pytest.fixture
def site(tmp_path):
    for name, text in {
        "index.html": GOOD,
        "a.js": "1",
        "sub/b.html": '<p id="there">b <a href="../index.html">back</a></p>',
        "docs/playground.html": "<p>play</p>",
        "_static/template.html": '<a href="{{ nowhere }}">a leftover of the theme</a>',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path.parent / "outside.html").touch()
    return tmp_path


def test_nothing_is_wrong_with_a_good_site(site):
    assert faults(site) == []


@pytest.mark.parametrize(
    ("added", "fault"),
    [
        ('<a href="gone.html">x</a>', "index.html: gone.html is not handed out"),
        ('<a href="sub">x</a>', "index.html: sub is not handed out"),
        ('<a href="sub/b.html#gone">x</a>', "index.html: sub/b.html#gone leads to no place on that page"),
        ('<a href="#gone">x</a>', "index.html: #gone leads to no place on that page"),
        ('<img src="gone.png">', "index.html: gone.png is not handed out"),
        ('<picture><source srcset="gone.png"></picture>', "index.html: gone.png is not handed out"),
        ('<script src="https://a.example/x.js"></script>', "index.html: fetches https://a.example/x.js from a network"),
        ('<link rel="stylesheet" href="//a.example/x.css">', "index.html: fetches //a.example/x.css from a network"),
        ("<p>so $x_0$ it is</p>", "index.html: a formula is not typeset: so $x_0$ it is"),
        (f"<pre>{ROOT}/data</pre>", f"index.html: names {ROOT}, a path of a machine"),
        (f'<script>const folder = "{ROOT}/data";</script>', f"index.html: names {ROOT}, a path of a machine"),
        (f"<p data-from='{ROOT}'>", f"index.html: names {ROOT}, a path of a machine"),
        ("<p>file:///etc/hostname</p>", "index.html: names file:///, a path of a machine"),
        ("<pre>/home/somebody/x.py:1: UserWarning</pre>", "index.html: names /home/somebody/, a path of a machine"),
        ('<a href="../outside.html">x</a>', "index.html: ../outside.html is not handed out"),
        ('<img srcset="a.js 1x, gone.png 2x">', "index.html: gone.png is not handed out"),
        ('<video poster="gone.png"></video>', "index.html: gone.png is not handed out"),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_its_page(site, added, fault):
    page = site / "index.html"
    page.write_text(GOOD + added, encoding="utf-8")
    assert [each for each in faults(site) if sys.prefix not in each] == [fault]


def test_a_path_is_found_in_other_files_too(site):
    (site / "searchindex.js").write_text("/somebody/project/x", encoding="utf-8")
    assert faults(site, ("/somebody/project",)) == ["searchindex.js: names /somebody/project, a path of a machine"]


def test_a_short_path_is_not_found_inside_other_words(site, monkeypatch):
    """A checkout in /code is not meant by the end of a word of code."""
    (site / "index.html").write_text(GOOD + "<code>x</code> reference/code </code-x>", encoding="utf-8")
    assert faults(site, ("/code",)) == []
    (site / "index.html").write_text(GOOD + "<p>in /code/tests", encoding="utf-8")
    assert faults(site, ("/code",)) == ["index.html: names /code, a path of a machine"]
