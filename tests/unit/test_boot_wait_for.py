"""Waiting for other services: what counts as an answer, and what is said when none comes."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from pastebox.boot.wait_for import wait_for
from pastebox.errors import ConfigError, UnavailableError
from pastebox.process.deadline import Deadline


def silent(_phase: str, _detail: str) -> None:
    """Say nothing."""


@contextlib.contextmanager
def server(answers: list[bytes]):
    """Listen on a free port and give one answer per connection, in order."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    if answer:
                        connection.recv(65536)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def answer(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def test_a_tcp_address_answers_by_being_connected() -> None:
    said: list[str] = []
    with server([b""]) as port:
        wait_for([f"tcp://127.0.0.1:{port}"], Deadline.after(30), lambda *w: said.append(w[1]))
    assert said == [f"answers address=tcp://127.0.0.1:{port}"]


def test_a_unix_address_answers_by_being_connected(tmp_path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        wait_for([f"unix://{path}"], Deadline.after(30), silent)


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "404 Not Found", "401 Unauthorized"])
def test_an_http_address_answers_with_anything_below_500(status) -> None:
    with server([answer(status)]) as port:
        wait_for([f"http://127.0.0.1:{port}/health?x=1"], Deadline.after(30), silent)


def test_an_http_address_is_asked_again_after_a_server_error() -> None:
    with server([answer("503 Busy"), answer("500 No"), answer("200 OK")]) as port:
        wait_for([f"http://127.0.0.1:{port}"], Deadline.after(30), silent)


def test_a_late_service_is_waited_for() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        # A bound socket that does not listen refuses, until it does.
        timer = threading.Timer(0.3, reserved.listen)
        timer.start()
        wait_for([f"tcp://127.0.0.1:{port}"], Deadline.after(10), silent)
        timer.join()


def test_addresses_without_an_answer_are_named_with_their_last_error(tmp_path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        dead = f"tcp://127.0.0.1:{reserved.getsockname()[1]}"
        missing = f"unix://{tmp_path}/none"
        with server([b""]) as port:
            alive = f"tcp://127.0.0.1:{port}"
            with pytest.raises(UnavailableError) as caught:
                wait_for([dead, alive, missing], Deadline.after(0.2), silent)
    text = str(caught.value)
    assert f"{dead} (Connection refused)" in text
    assert f"{missing} (No such file or directory)" in text
    assert alive not in text
    assert caught.value.exit_code == 69


def test_a_progress_line_comes_every_ten_seconds(monkeypatch, tmp_path) -> None:
    now = [0.0]
    monkeypatch.setattr(
        "pastebox.boot.wait_for.time.sleep", lambda s: now.__setitem__(0, now[0] + s)
    )
    said: list[str] = []
    address = f"unix://{tmp_path}/none"
    with pytest.raises(UnavailableError):
        wait_for([address], Deadline(35.0, lambda: now[0]), lambda *w: said.append(w[1]))
    assert said == [f"no answer yet address={address}"] * 3


@pytest.mark.parametrize(
    "address",
    [
        "db:5432",
        "tcp://db",
        "tcp://db:x",
        "tcp://:1",
        "unix://",
        "ftp://x:1",
        "http://",
        "tcp://db:99999",
    ],
)
def test_an_address_that_cannot_be_understood_is_refused(address) -> None:
    with pytest.raises(ConfigError) as caught:
        wait_for([address], Deadline.after(0), silent)
    assert f'"{address}"' in str(caught.value)
