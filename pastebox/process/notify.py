"""The sd_notify protocol, both ends: what workers say to the master, and the master to systemd.

Datagrams of ``NAME=value`` lines on a Unix socket (systemd's sd_notify(3)). gunicorn and uWSGI
speak it already. The sender is told by the kernel (``SCM_CREDENTIALS``), not by the text.
"""

import contextlib
import os
import socket
import struct
import sys
from typing import NamedTuple

_CREDENTIALS = struct.Struct("3i")
_LONGEST = 4096
PID = "X_PASTEBOX_PID"
"""Field with the sender's pid where the kernel does not tell it."""


class Message(NamedTuple):
    """One datagram: the process that sent it (0 when unknown) and its fields."""

    pid: int
    fields: dict[str, str]


class Notifier:
    """The sending end. A receiver that is gone is no error: there is nobody to tell."""

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, **fields: object) -> None:
        """Send one datagram with these fields."""
        if sys.platform != "linux":
            fields[PID] = os.getpid()
        lines = (f"{name}={str(value).replace(chr(10), ' ')}" for name, value in fields.items())
        with contextlib.suppress(OSError):
            self._socket.sendto("\n".join(lines).encode()[:_LONGEST], self._address)

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()


class NotifyReceiver:
    """The receiving end: a datagram socket of the master's own."""

    def __init__(self, directory: str, name: str = "") -> None:
        """Bind in the abstract name space on Linux, in ``directory`` elsewhere.

        Raises:
            OSError: somebody has the name already.
        """
        name = name or f"pastebox-notify-{os.getpid()}-{os.urandom(6).hex()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._path = ""
        try:
            if sys.platform == "linux":
                self.address = "@" + name
                self._socket.bind("\0" + name)
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            else:
                self.address = os.path.join(directory, name)
                self._socket.bind(self.address)
                self._path = self.address
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def receive(self) -> list[Message]:
        """Return every datagram that has arrived; malformed lines are passed over."""
        messages: list[Message] = []
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(
                    _LONGEST, socket.CMSG_SPACE(_CREDENTIALS.size)
                )
            except (BlockingIOError, InterruptedError):
                return messages
            lines = data.decode("utf-8", "replace").split("\n")
            fields = dict(line.split("=", 1) for line in lines if "=" in line)
            said = fields.get(PID, "") if sys.platform != "linux" else ""
            messages.append(Message(int(said) if said.isdecimal() else _sender(ancillary), fields))

    def close_in_child(self) -> None:
        """Give the descriptor back in a forked child."""
        self._socket.close()

    def close(self) -> None:
        """Close, and remove what was bound in the file system."""
        self._socket.close()
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)


def _sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if (
            level == socket.SOL_SOCKET
            and sys.platform == "linux"
            and kind == socket.SCM_CREDENTIALS
            and len(data) >= _CREDENTIALS.size
        ):
            pid: int = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
            return pid
    return 0
