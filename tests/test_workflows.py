"""What whoever hosts the project runs: it cannot be run here, so all that it names is looked for."""

import importlib.util
import re
import shlex
import tomllib

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from iadb_helpers.machine import ROOT

FOLDER = ROOT / ".github" / "workflows"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml"))}
JOBS = {(name, job): what for name, text in TEXTS.items() for job, what in yaml.safe_load(text)["jobs"].items()}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
PROGRAMS = {"git", "make", "python"}  # a machine of the host has these, or setup-python brings them


def steps(key: str) -> list:
    """What the steps of all jobs say under one key."""
    return [step[key] for job in JOBS.values() for step in job["steps"] if key in step]


def commands(name: str, job: str) -> list[list[str]]:
    """The words of each command that a job runs."""
    return [shlex.split(step["run"]) for step in JOBS[name, job]["steps"] if "run" in step]


COMMANDS = [words for name, job in JOBS for words in commands(name, job)]


def made_by(target: str) -> list[list[str]]:
    """The words of each command that make runs for a target, after those for the targets that it wants.

    What a file stands for ($(TEACHING), the installation) is left out: a job installs in its own way.
    """
    variables = dict(re.findall(r"^(\w+) [:?]?= (.*)$", MAKEFILE, flags=re.M))
    wanted, recipe = re.findall(rf"^{target}:(.*)\n((?:\t.*\n)*)", MAKEFILE, flags=re.M)[0]
    lines = [words for other in wanted.split() if not other.startswith("$") for words in made_by(other)]
    for line in recipe.splitlines():
        while "$(" in line:
            line = re.sub(r"\$\((\w+)\)", lambda variable: variables[variable[1]], line)
        lines.append(shlex.split(line))
    return lines


def without_prefixes(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The settings before a command, and the command as it is called where the environment is active."""
    settings = dict(word.split("=") for word in words if re.fullmatch(r"[A-Z_]+=\w+", word))
    return settings, [word.removeprefix(".venv/bin/") for word in words[len(settings) :]]


def test_the_tests_are_those_of_make_test_after_an_installation_of_the_pinned_set():
    ran = commands("tests.yml", "tests")
    at = next(number for number, words in enumerate(ran) if "pip" in words)
    assert ran[at] == shlex.split("python -m pip install -r requirements.txt -r requirements-teaching.txt")
    expected = [without_prefixes(words) for words in made_by("test")]
    assert len(expected) == 5 and ran[at + 1 :] == [words for _, words in expected]
    settings = {name: str(value) for name, value in JOBS["tests.yml", "tests"]["env"].items()}
    assert all(wanted.items() <= settings.items() for wanted, _ in expected)


def test_the_browsers_and_the_site_are_left_to_make():
    assert commands("tests.yml", "browsers") == [["make", "test-browser"]]
    assert commands("site.yml", "build") == [["make", "site"]]


@pytest.mark.parametrize("target", sorted({words[1] for words in COMMANDS if words[0] == "make"}))
def test_every_target_that_is_made_is_in_the_makefile(target):
    assert re.search(rf"^{target}:", MAKEFILE, flags=re.M)


def test_every_path_and_module_that_a_command_names_is_there():
    paths, modules = set(), set()
    for words in COMMANDS:
        paths |= {word for before, word in zip(words, words[1:], strict=False) if before == "-r"}
        paths |= {word.partition("=")[2] for word in words if word.startswith("--ignore=")}
        if "pytest" in words:
            paths |= set(words[1 + max(at for at, word in enumerate(words) if word.startswith("-")) :])
        modules |= {words[2]} if words[:2] == ["python", "-m"] else {words[0]} - PROGRAMS
    assert {"requirements.txt", "tests/browser", "notebooks"} <= paths and {"pytest", "ruff"} <= modules
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []
    assert sorted(module for module in modules if importlib.util.find_spec(module) is None) == []


def test_what_goes_to_pages_is_what_make_writes_and_git_ignores():
    assert [given["path"] for given in steps("with") if "path" in given] == ["site"]
    assert "/site/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()  # and not tools/site/


def test_the_pythons_begin_with_the_oldest_that_is_admitted():
    admitted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    oldest, *newer = JOBS["tests.yml", "tests"]["strategy"]["matrix"]["python"]
    assert f">={oldest}" == admitted and newer
    single = {given["python-version"] for given in steps("with") if "python-version" in given}
    assert "${{ matrix.python }}" in single
    versions = [*newer, *(single - {"${{ matrix.python }}"})]
    assert all(
        isinstance(version, str) and version in SpecifierSet(admitted) for version in versions
    )  # unquoted, 3.10 is 3.1


def test_only_actions_of_the_host_are_used_each_in_one_version():
    used = steps("uses")
    assert [action for action in used if not re.fullmatch(r"actions/[\w-]+@v\d+", action)] == []
    assert len(set(used)) == len({action.partition("@")[0] for action in used})


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_says_that_it_was_not_run_and_gives_no_job_more_than_it_needs(name):
    assert "We could not run it" in TEXTS[name].splitlines()[0]
    assert yaml.safe_load(TEXTS[name])["permissions"] == {"contents": "read"} and "secrets" not in TEXTS[name]
    jobs = {job: what for (file, job), what in JOBS.items() if file == name}
    assert all(0 < what["timeout-minutes"] <= 90 for what in jobs.values())
    assert [job for job, what in jobs.items() if "permissions" in what] == (["deploy"] if name == "site.yml" else [])
    assert all(what.get("needs", job) in jobs for job, what in jobs.items())
