"""The promises of the project's own files: pins, environment, README and docs."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from iadb_helpers.machine import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder, pattern in (
        (".", "*.md"), ("docs", "*.md"), ("teaching", "*.md"), ("teaching/lessons", "*.md"), ("benchmarks", "*.md"),
        ("iadb_helpers/weights", "*.md"),
    )
    for path in sorted((ROOT / folder).glob(pattern))
}  # fmt: skip


def pins() -> dict[str, str]:
    """{package: the version that requirements.txt pins}."""
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    return dict(line.split("==") for line in lines if "==" in line)


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_requirements_are_all_pinned_and_end_in_this_package():
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    lines = [line for line in lines if line]
    assert lines[-1] == "-e ."
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in lines[:-1])
    promised = (
        "torch torchvision numpy matplotlib tqdm jupyter nbval ipywidgets anywidget mlxtend safetensors pytest ruff"
    )
    assert set(promised.split()) <= set(pins())
    assert pins()["torch"] == "2.14.1" and pins()["torchvision"] == "0.29.1"


IN_REQUIREMENTS = [
    lines for extra, lines in project()["optional-dependencies"].items() if extra not in ("browser", "teaching")
]


@pytest.mark.parametrize("line", project()["dependencies"] + sum(IN_REQUIREMENTS, []))
def test_pins_lie_inside_the_ranges(line):
    requirement = Requirement(line)
    assert len(requirement.specifier) > 0
    assert pins()[requirement.name] in requirement.specifier


def test_ranges_admit_the_oldest_supported_set():
    ranges = {Requirement(line).name: Requirement(line).specifier for line in project()["dependencies"]}
    assert "2.11.0" in ranges["torch"] and "0.26.0" in ranges["torchvision"]
    assert project()["requires-python"] == ">=3.11"


def test_environment_is_python_pip_and_the_requirements():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    entries = [line.strip() for line in text.partition("dependencies:")[2].splitlines() if line.strip()]
    assert entries[0].startswith("- python=3.")
    assert entries[1:] == ["- pip", "- pip:", "- -r requirements.txt"]


def test_ci_runs_the_tests_and_those_in_a_browser_and_stops_at_the_first_that_fails():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make test", "make test-browser"]
    assert lines.index("set -euo pipefail") < lines.index("make test")


@pytest.mark.parametrize("extra", ["browser", "teaching"])
def test_further_requirements_lie_inside_the_ranges(extra):
    lines = (ROOT / f"requirements-{extra}.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    ranges = [Requirement(line) for line in project()["optional-dependencies"][extra]]
    assert {requirement.name for requirement in ranges} == set(pinned)
    assert all(pinned[requirement.name] in requirement.specifier for requirement in ranges)


def test_the_readme_is_a_front_door():
    assert len(README.encode()) <= 6500
    assert {"CONTRIBUTING.md", "CHANGELOG.md", "docs/install.md", "docs/gpu.md", "teaching/guide.md"} <= PAGES.keys()


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_that_a_page_names_exist(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|[`\s])make ([a-z][\w-]*)(?=[`\s#])", "\n".join(code_of(page)), flags=re.M))
    assert [target for target in named if not re.search(rf"^{target}:", makefile, flags=re.M)] == []
    assert page != "README.md" or {"tutorial", "test", "lab", "notebooks"} <= named


def code_of(page: str) -> list[str]:
    """What stands as code on a page: blocks, and words between backticks."""
    blocks = re.findall(r"```\w*\n(.*?)```", PAGES[page], flags=re.S)
    return blocks + re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", PAGES[page], flags=re.S))


def test_a_target_with_a_dash_would_be_missed_by_no_pattern():
    named = {"test-browser", "test-oldest"}
    assert all(any(f"make {target}" in code for code in code_of("CONTRIBUTING.md")) for target in named)


def modules_of(page: str) -> set[str]:
    return set(re.findall(r"python -m ([\w.]+)", PAGES[page])) - {"venv", "pip", "pytest"}


def test_every_module_that_a_page_runs_is_there_and_explains_itself():
    modules = sorted(set().union(*map(modules_of, PAGES)))
    assert {"iadb_helpers", "iadb_helpers.explorer", "benchmarks.curves", "tools.notebooks"} <= set(modules)
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_commands_of_the_package_are_those_that_the_pages_name():
    from iadb_helpers.__main__ import main

    named = set(re.findall(r"python -m iadb_helpers (\w+)", "\n".join(PAGES.values())))
    listed = re.search(r"`python -m iadb_helpers train`(.*?)each with", " ".join(README.split()))
    assert listed
    named |= set(re.findall(r"`(\w+)`", listed[1]))
    assert named == {"train", "sample", "classifier", "gaussian", "page", "doctor"}
    for command in named:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0


def test_every_figure_of_the_readme_names_a_command_that_writes_it():
    table = README.partition("## How good, and how fast?")[2].partition("## Where to go")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| |")]
    assert len(rows) == 3
    assert all(re.search(r"`python -m benchmarks\.\w+( --\w+)?` \|$", row) for row in rows)


@pytest.mark.slow
def test_the_code_of_the_readme_runs(capsys):
    """The sampler with fewer steps; it needs what the page around it speaks of."""
    import torch

    from iadb_helpers import load_pretrained, to_display

    sampler, engineers = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    known = {"torch": torch, "model": load_pretrained("cpu"), "to_display": to_display}
    exec(sampler.replace("128", "2").replace("randn(64", "randn(2"), known)
    assert known["digits"].shape == (2, 1, 32, 32) and not known["digits"].requires_grad
    exec(engineers, {})
    assert "100 digits: Fréchet distance" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_exist(page):
    text, folder = PAGES[page], (ROOT / page).parent
    links = re.findall(r"\]\(([^)#\s]+?)(?:#[^)]*)?\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
    written = ("site/index.html",)  # by a command that the page names beside it
    links = [link for link in links if not link.startswith("http") and link not in written]
    assert [link for link in links if not (folder / link).exists()] == []
    anchors = re.findall(r"\]\(#([^)]+)\)", text)
    titles = [re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in re.findall(r"^#+ (.*)$", text, flags=re.M)]
    assert set(anchors) <= set(titles)


def test_one_version_everywhere():
    version = project()["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", PAGES["CHANGELOG.md"], flags=re.M)[1] == version


def test_every_file_of_weights_is_told_of():
    folder = ROOT / "iadb_helpers" / "weights"
    told = PAGES["iadb_helpers/weights/README.md"]
    assert all(f"`{path.stem}`" in told for path in folder.glob("*.safetensors"))
    assert "Apache-2.0" in told
