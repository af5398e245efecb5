"""The promises of the project's own files: pins, environment, README, timings."""

import json
import re
import tomllib

import pytest
from packaging.requirements import Requirement

from iadb_helpers.notebooks import TIMES, series
from iadb_helpers.runtime import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


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


IN_REQUIREMENTS = [lines for extra, lines in project()["optional-dependencies"].items() if extra != "browser"]


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


def test_ci_runs_the_tests_and_those_in_a_browser():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make test", "make test-browser"]
    assert "set -euo pipefail" in lines and len(lines) < 12


def test_browser_requirements_lie_inside_the_ranges():
    lines = (ROOT / "requirements-browser.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    ranges = [Requirement(line) for line in project()["optional-dependencies"]["browser"]]
    assert {requirement.name for requirement in ranges} == set(pinned)
    assert all(pinned[requirement.name] in requirement.specifier for requirement in ranges)


def test_commands_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", README, flags=re.S))
    targets = set(re.findall(r"make (\w+)", blocks + README))
    assert {"tutorial", "test", "lab", "notebooks"} <= targets
    assert all(re.search(rf"^{target}:", makefile, flags=re.M) for target in targets)
    from iadb_helpers.__main__ import main

    commands = set(re.findall(r"python -m iadb_helpers (\w+)", README))
    assert commands == {"train", "sample", "judge", "gaussian"}
    for command in commands:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0


def test_links_of_the_readme_exist():
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", README) + re.findall(r'src="([^"]+)"', README)
    local = [link for link in links if not link.startswith("http")]
    assert len(local) >= 6
    assert [link for link in local if not (ROOT / link).exists()] == []
    anchors = re.findall(r"\]\(#([^)]+)\)", README)
    titles = [
        re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in re.findall(r"^#+ (.*)$", README, flags=re.M)
    ]
    assert set(anchors) <= set(titles)


def minutes(seconds: float) -> str:
    return f"{max(1, round(seconds / 60))} min"


@pytest.mark.parametrize("path", series(), ids=lambda path: path.stem)
def test_stated_times_are_the_measured_ones(path):
    record = json.loads(TIMES.read_text(encoding="utf-8"))
    assert record["profile"] == "cpu"
    stated = minutes(record["seconds"][path.stem])
    opening = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
    assert f"CPU {stated} ·" in "".join(opening)
    row = next(line for line in README.splitlines() if f"notebooks/{path.name}" in line and line.startswith("|"))
    assert f"| {stated} |" in row
