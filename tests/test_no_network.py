"""The fixture that keeps tests off the network must itself be able to fail a test."""

import socket
import threading
from pathlib import Path
from urllib.request import urlopen

import pytest

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
        lambda: socket.create_connection(("example.org", 80), timeout=1),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)),
        lambda: urlopen("http://example.org"),
    ],
)
def test_the_world_is_out_of_reach(reach, network_attempts):
    with pytest.raises(OSError, match=r"tests may not reach (192|example)"):
        reach()
    assert network_attempts


def test_loopback_is_open():
    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: server.accept()[0].sendall(b"here"))
    thread.start()
    with socket.create_connection(server.getsockname()) as client:
        assert client.recv(4) == b"here"
    thread.join()
    server.close()


def test_a_swallowed_attempt_still_fails_the_test(pytester):
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(
        "import socket\n"
        "def test_hides_it():\n"
        "    try:\n"
        "        socket.create_connection(('192.0.2.1', 80))\n"
        "    except OSError:\n"
        "        pass\n"
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1, errors=1)
