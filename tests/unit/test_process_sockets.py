"""What the process tests cannot look at: notifications, inherited descriptors, the filter."""

import os
import socket
import stat

import pytest

from pastebox.config.model import Bind
from pastebox.errors import CannotCreateError, ConfigError
from pastebox.process import sockets
from pastebox.process.notify import Notifier, NotifyReceiver
from pastebox.process.sockets import (
    adopt,
    bind_sockets,
    describe,
    forget_inherited,
    inherited_descriptors,
    refuse_newcomers,
)

INHERITED = [
    ({}, []),
    ({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, [3, 4]),
    ({"LISTEN_PID": "8", "LISTEN_FDS": "2"}, []),
    ({"LISTEN_PID": "7", "LISTEN_FDS": "0"}, []),
    ({"LISTEN_PID": "7", "LISTEN_FDS": "two"}, []),
    ({"LISTEN_PID": "7"}, []),
]


@pytest.mark.parametrize(("environ", "descriptors"), INHERITED)
def test_inherited_descriptors(environ, descriptors):
    assert inherited_descriptors(environ, 7) == descriptors


def test_inherited_descriptors_are_not_for_children():
    environ = {"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a", "PATH": "/"}
    forget_inherited(environ)
    assert environ == {"PATH": "/"}


def test_port_0_is_chosen_once_for_all_addresses_of_a_name():
    sockets = bind_sockets(Bind("tcp", "localhost", 0))
    assert len({one.getsockname()[1] for one in sockets}) == 1
    for one in sockets:
        one.close()


def test_head_and_body_that_are_sent_apart_do_not_wait_for_each_other():
    """A server that does not set the option on its connections still has it from the listener."""
    (listener,) = bind_sockets(Bind("tcp", "127.0.0.1", 0))
    with listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_error_names_the_setting_for_another_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        bind = Bind("tcp", "127.0.0.1", other.getsockname()[1])
        with pytest.raises(CannotCreateError) as caught:
            bind_sockets(bind, setting="PASTEBOX_X")
    assert "PASTEBOX_X" in caught.value.hint


def test_unix_socket_has_its_mode_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        (one,) = bind_sockets(Bind("unix", path=str(tmp_path / "s"), mode=0o666))
        assert os.umask(0o077) == 0o077, "the umask is as it was"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o666
    assert describe(one) == f"unix:{tmp_path / 's'}"
    one.close()


def test_descriptor_that_is_no_socket_is_refused(tmp_path):
    with open(tmp_path / "file", "w") as file, pytest.raises(ConfigError):
        adopt(file.fileno())


REFUSED = [
    pytest.param(None, TimeoutError, id="filter"),
    pytest.param(((0xFFFF, 0, 0, 0),), ConnectionRefusedError, id="no-filter"),
]


@pytest.mark.parametrize(("program", "refusal"), REFUSED)
def test_newcomers_are_kept_away_and_those_who_wait_are_not(program, refusal, monkeypatch, caplog):
    """Also where the kernel takes no filter, as some do from whoever has no capabilities."""
    if program is not None:
        monkeypatch.setattr(sockets, "_NO_SYN", program)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        listener.settimeout(10)
        with socket.create_connection(listener.getsockname(), 10) as early:
            for _ in range(2):  # master and worker
                refuse_newcomers([listener])
            with socket.socket() as late:
                late.settimeout(0.3)
                with pytest.raises(refusal):
                    late.connect(listener.getsockname())
            accepted, _ = listener.accept()
            early.sendall(b"x")
            assert accepted.recv(1) == b"x"
            accepted.close()
    assert not caplog.records


def test_kernel_without_a_way_to_keep_newcomers_away_is_told_of_once(monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(sockets, "_NO_SYN", ((0xFFFF, 0, 0, 0),))
    monkeypatch.setattr(sockets, "_SO_BINDTOIFINDEX", 0xFFFF)
    with socket.socket() as one, socket.socket() as other:
        refuse_newcomers([one, other])
    (record,) = caplog.records
    assert "one of the last moment may be reset" in record.getMessage()


def test_socket_that_others_hold_is_left_alone():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        ours = adopt(os.dup(listener.fileno()))
        refuse_newcomers([ours])
        ours.close()
        with socket.create_connection(listener.getsockname(), 10):
            listener.accept()[0].close()


def test_notification_arrives_with_its_sender(tmp_path):
    receiver = NotifyReceiver(str(tmp_path))
    notifier = Notifier(receiver.address)
    notifier.send(READY=1, STATUS="two\nlines")
    notifier.send(WATCHDOG=1)
    first, second = receiver.receive()
    assert first == (os.getpid(), {"READY": "1", "STATUS": "two lines"})
    assert second.fields == {"WATCHDOG": "1"}
    assert receiver.receive() == []
    receiver.close()
    notifier.send(READY=1)  # nobody is there, and that is no error
    notifier.close()


def test_malformed_datagrams_are_passed_over(tmp_path):
    receiver = NotifyReceiver(str(tmp_path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        address = "\0" + receiver.address[1:] if receiver.address[0] == "@" else receiver.address
        for data in (b"", b"\xff\xfe", b"no equals sign", b"=\n=x\nA=1"):
            sender.sendto(data, address)
    assert [message.fields.get("A") for message in receiver.receive()] == [None, None, None, "1"]
    receiver.close()
