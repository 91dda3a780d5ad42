"""Listening sockets: bind them, inherit them, and stop taking connections without a reset."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING

from pastebox.errors import CannotCreateError, ConfigError, NoPermissionError, PasteboxError
from pastebox.process.atomic import ownership_hint

if TYPE_CHECKING:
    from pastebox.config.model import Bind

_FIRST_INHERITED = 3  # sd_listen_fds(3)
_SO_ATTACH_FILTER, _SO_BINDTOIFINDEX = 26, 62  # asm-generic/socket.h; without names in socket
_NO_INTERFACE = 0x7FFFFFFF
"""No machine has that many: a socket bound to it is found by no packet."""
_LONGEST_UNIX_PATH = 107
_NO_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 2), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
"""Classic BPF: load the flags of the TCP header; drop the packet if SYN is among them."""


class Adopted(socket.socket):
    """A socket that somebody else holds as well: what is done to it outlives this process."""


def bind_sockets(bind: Bind, *, setting: str = "PASTEBOX_PORT") -> list[socket.socket]:
    """Bind (not listen on) every address that ``bind`` stands for.

    A host name may stand for several addresses; port 0 is chosen once for all of them. Errors
    name ``setting`` as the way to another port.

    Raises:
        CannotCreateError: in use, or another error of the operating system (73).
        NoPermissionError: a port below 1024 without the right, an unwritable directory (77).
        ConfigError: the host or the path cannot be an address of this machine (78).
    """
    if bind.kind == "unix":
        return [_bind_unix(bind)]
    if bind.kind == "fd":
        return [adopt(bind.port)]
    return _bind_tcp(bind, setting)


def _bind_tcp(bind: Bind, setting: str) -> list[socket.socket]:
    try:
        found = socket.getaddrinfo(
            bind.host or None, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(
            f'the host "{bind.host}" cannot be resolved: {error}',
            hint="use an address of this machine, or 0.0.0.0 for all of them",
        ) from error
    sockets: list[socket.socket] = []
    port = bind.port
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listener = socket.socket(family, kind, protocol)
            sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Connections inherit it. Not every server sets it on its own, and head and body sent
            # apart then wait 40 ms for the peer's acknowledgement.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address[0], port, *address[2:]))
            port = listener.getsockname()[1]
    except OSError as error:
        for listener in sockets:
            listener.close()
        raise _tcp_error(bind, error, setting) from error
    return sockets


def _tcp_error(bind: Bind, error: OSError, setting: str) -> PasteboxError:
    if error.errno == errno.EADDRINUSE:
        return CannotCreateError(
            f"cannot listen on {bind}: the address is in use",
            hint=f"another process listens there; see ss -ltnp 'sport = :{bind.port}',"
            f" or choose another with {setting}",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return NoPermissionError(
            f"cannot listen on {bind} as uid {os.getuid()}: {error.strerror}",
            hint="ports below 1024 need the capability NET_BIND_SERVICE;"
            f" choose 1024 or above with {setting}",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(
            f"cannot listen on {bind}: this machine has no such address",
            hint="use 0.0.0.0 for all addresses of this machine",
        )
    return CannotCreateError(f"cannot listen on {bind}: {error.strerror}")


def _bind_unix(bind: Bind) -> socket.socket:
    if len(os.fsencode(bind.path)) > _LONGEST_UNIX_PATH:
        raise ConfigError(
            f"the socket path {bind.path} is too long",
            found=f"{len(os.fsencode(bind.path))} bytes",
            expected=f"at most {_LONGEST_UNIX_PATH}",
        )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale_socket(bind.path)
        mask = os.umask(0o777 & ~bind.mode)  # the mode holds from the first moment
        try:
            listener.bind(bind.path)
        finally:
            os.umask(mask)
        os.chmod(bind.path, bind.mode)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EACCES, errno.EPERM):
            raise NoPermissionError(
                f"cannot create the socket {bind.path}: {error.strerror}",
                hint=ownership_hint(os.path.dirname(os.path.abspath(bind.path))),
            ) from error
        raise CannotCreateError(
            f"cannot create the socket {bind.path}: {error.strerror}",
            hint="its directory must exist" if error.errno == errno.ENOENT else None,
        ) from error
    except PasteboxError:
        listener.close()
        raise
    return listener


def _remove_stale_socket(path: str) -> None:
    """Unlink a socket that nobody listens on; refuse anything else that is in the way."""
    try:
        mode = os.stat(path, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "a file"
        raise CannotCreateError(
            f"cannot create the socket {path}: {kind} is there",
            hint="remove it, or choose another path",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        except OSError:
            pass
    raise CannotCreateError(
        f"cannot create the socket {path}: another process listens on it",
        hint="stop that process, or choose another path",
    )


def adopt(descriptor: int) -> Adopted:
    """Take a descriptor that was passed to this process.

    Raises:
        ConfigError: it is not a socket.
    """
    try:
        return Adopted(fileno=descriptor)
    except OSError as error:
        raise ConfigError(f"descriptor {descriptor} is not a socket: {error.strerror}") from error


def inherited_descriptors(environ: Mapping[str, str], pid: int) -> list[int]:
    """Return the descriptors that systemd passed to this process (sd_listen_fds(3))."""
    if environ.get("LISTEN_PID") != str(pid):
        return []
    count = environ.get("LISTEN_FDS", "")
    return [_FIRST_INHERITED + n for n in range(int(count))] if count.isdigit() else []


def forget_inherited(environ: MutableMapping[str, str]) -> None:
    """Keep children from taking the passed descriptors for theirs."""
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(name, None)


def describe(listener: socket.socket) -> str:
    """Name a bound socket as a person would type it: ``http://127.0.0.1:8080`` without a scheme."""
    address = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{address}"
    host = f"[{address[0]}]" if listener.family == socket.AF_INET6 else address[0]
    return f"{host}:{address[1]}"


def refuse_newcomers(listeners: Iterable[socket.socket]) -> None:
    """Make the kernel ignore new connections while those already queued are still accepted.

    Closing a listening socket resets what waits in its accept queue, and between the last
    ``accept`` and ``close`` a connection can slip in. A socket filter drops the SYN instead, so
    a newcomer meets a closed port a moment later, as a refusal; the last packet of a handshake
    that has begun still passes. Some kernels let nobody set a filter without CAP_NET_ADMIN. There
    the listener is bound to an interface that does not exist, which takes no right since Linux
    5.7: newcomers are refused at once, and a handshake that has begun has its own binding. Linux
    only; elsewhere nothing happens and the window stays open.

    Sockets that somebody else holds are left alone: their queue survives us, and the filter
    would too. For Unix sockets, removing the path does the same as the filter.
    """
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415  # needed once in a life, at its end
    import logging  # noqa: PLC0415  # likewise

    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_SYN))
    program = struct.pack("HL", len(_NO_SYN), ctypes.addressof(code))
    why: OSError | None = None
    for listener in listeners:
        if listener.family != socket.AF_UNIX and not isinstance(listener, Adopted):
            try:
                _turn_away(listener, program)
            except OSError as error:
                why = error
    if why is not None:
        log = logging.getLogger("pastebox.master")
        log.info("newcomers are not kept away, and one of the last moment may be reset: %s", why)


def _turn_away(listener: socket.socket, program: bytes) -> None:
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError:
        # Master and worker both ask for it, and the second time takes a right.
        if listener.getsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX) != _NO_INTERFACE:
            listener.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, _NO_INTERFACE)
