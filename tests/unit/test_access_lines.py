"""The access log of a worker: whole lines, written together, never at the cost of the service."""

import os

from pastebox.runners.access_lines import AccessLines


def lines_to(descriptor):
    return AccessLines(lambda record: f"line {record}", descriptor)


def test_lines_that_came_meanwhile_are_written_together_and_in_order():
    read, write = os.pipe()
    lines = lines_to(write)
    for number in range(3):
        lines.add(number)
    assert lines
    lines.write()
    assert not lines
    assert os.read(read, 100) == b"line 0\nline 1\nline 2\n"
    os.close(read)
    os.close(write)


def test_nothing_is_written_when_nothing_came():
    lines_to(-1).write()


def test_a_reader_that_is_gone_ends_nothing():
    read, write = os.pipe()
    os.close(read)
    lines = lines_to(write)
    lines.add(1)
    lines.write()
    assert not lines
    os.close(write)


def test_a_full_pipe_drops_lines_after_a_while(monkeypatch):
    monkeypatch.setattr("pastebox.runners.access_lines._PATIENCE_MS", 10)
    read, write = os.pipe2(os.O_NONBLOCK)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        pass
    lines = lines_to(write)
    lines.add(1)
    lines.write()
    assert not lines
    os.close(read)
    os.close(write)


def test_a_slow_reader_gets_every_byte():
    read, write = os.pipe2(os.O_NONBLOCK)
    lines = lines_to(write)
    for number in range(20_000):
        lines.add(number)
    pid = os.fork()
    if pid == 0:
        os.close(write)
        os.set_blocking(read, True)
        received = b""
        while part := os.read(read, 5000):
            received += part
        os._exit(0 if received.count(b"\n") == 20_000 and received.endswith(b"line 19999\n") else 1)
    os.close(read)
    lines.write()
    os.close(write)
    assert os.waitpid(pid, 0)[1] == 0
