"""What a long job says never ends it: not a letter that the terminal lacks, and not a reader who has gone."""

import io
import sys

import pytest

from iadb_helpers.machine.console import Console


class Closed(io.StringIO):
    """A pipe that nobody reads any more."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def flush(self):
        raise self.error


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", "\\u03b1 = 1"), ("cp1252", "\\u03b1 = 1"), ("utf-8", "α = 1")]
)
def test_what_an_encoding_lacks_is_written_as_an_escape(monkeypatch, encoding, shown):
    file = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(file, encoding=encoding))
    console = Console(lost=lambda: pytest.fail("nothing was lost"))
    console.say("α = 1")
    assert file.getvalue().decode(encoding).splitlines() == [shown]
    assert console.encoding == encoding  # a progress bar asks


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("I/O operation on closed file"), OSError(5, "gone")])
def test_where_nobody_reads_it_is_told_once_and_the_last_words_go_to_stderr(monkeypatch, capsys, error):
    told = []
    monkeypatch.setattr(sys, "stdout", Closed(error))
    console = Console(lost=lambda: told.append(1))
    console.say("first")
    console.write("a bar")
    console.flush()
    console.say("last")
    assert told == [1]
    assert capsys.readouterr().err.splitlines() == ["first", "last"]


def test_a_process_without_an_output_says_nothing_and_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    console = Console(lost=lambda: pytest.fail("nobody had ever listened"))
    console.say("line")
    assert not console.is_lost
