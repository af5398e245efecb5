"""No mistake on a command line ends in a traceback, whatever the terminal is."""

import os
import subprocess
import sys

import pytest

from iadb_helpers.machine import command_line
from iadb_helpers.machine.files import ROOT


def run(command: list[str], encoding: str, **more) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", *command], env=environment, capture_output=True, timeout=120, cwd=ROOT, **more
    )


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "shift_jis", "iso8859-1"])
@pytest.mark.parametrize("command", [["iadb_helpers", "sample", "--help"], ["tools.notebooks", "--help"]])
def test_help_is_printed_on_every_terminal(encoding, command):
    done = run(command, encoding)
    assert done.returncode == 0 and done.stderr == b""
    assert b"usage: " in done.stdout


@pytest.mark.slow
def test_an_error_with_letters_that_the_terminal_lacks_is_still_one_sentence(tmp_path):
    done = run(["iadb_helpers", "sample", "--weights", str(tmp_path / "α.safetensors")], "ascii")
    assert done.returncode == 1
    assert done.stderr.decode("ascii").splitlines() == [rf"error: no weights at {tmp_path}/\u03b1.safetensors"]


@pytest.mark.slow
def test_a_reader_that_has_gone_gets_no_traceback(tmp_path):
    command = [sys.executable, "-m", "iadb_helpers", "sample", "--steps", "1", "--count", "1"]
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "IADB_RESULTS": str(tmp_path), "PYTHONPATH": str(ROOT)}
    process = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, timeout=120, text=True)
    os.close(writer)
    assert process.returncode == 1 and process.stderr == ""
    assert (tmp_path / "generated_mnist.gif").is_file()  # all was done by then


def test_ctrl_c_is_a_word_and_the_shells_number(capsys):
    parser, commands = command_line.subcommands("x", "y")

    def press(_):
        raise KeyboardInterrupt

    commands.add_parser("z").set_defaults(run=press)
    assert command_line.run(parser, ["z"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_tilde_that_the_shell_has_left_alone_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert command_line.path("~/x") == tmp_path / "x"
