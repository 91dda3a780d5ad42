"""The options of ``wsgiutils`` and ``cherrypy``, by the names that their INIs use."""

from __future__ import annotations

from typing import NamedTuple

from pastebox.config.model import Bind, ServerSpec
from pastebox.runners import options


class ServerOptions(NamedTuple):
    """What is left for the server when the master has bound.

    Attributes:
        threads: how many requests are served at a time.
        timeout_s: for a header, between requests, and for each read and write.
        protocol: ``HTTP/1.1`` or ``HTTP/1.0``.
        server_name: what the application sees as SERVER_NAME; empty for the address.
        ssl_pem: file with key and certificate; empty for none.
        backlog: length of the accept queue; 0 for the master's.
    """

    threads: int
    timeout_s: float
    protocol: str
    server_name: str
    ssl_pem: str
    backlog: int


def _protocol(text: str) -> str:
    if text not in ("HTTP/1.0", "HTTP/1.1"):
        raise ValueError
    return text


WSGIUTILS: dict[str, options.Row] = {"host": options.TEXT, "port": options.PORT}

CHERRYPY: dict[str, options.Row] = {
    "host": options.TEXT,
    "port": options.PORT,
    "ssl_pem": options.TEXT,
    "protocol_version": (_protocol, "HTTP/1.0 or HTTP/1.1"),
    "numthreads": options.COUNT,
    "server_name": options.TEXT,
    "max": options.LIMIT,
    "request_queue_size": options.COUNT,
    "timeout": options.SECONDS,
}


def wsgiutils_binds(spec: ServerSpec) -> tuple[Bind, ...]:
    """Return the address of ``wsgiutils``.

    Raises:
        ConfigError: an option is unknown, or its value is not of its type.
    """
    return (options.tcp(options.check(spec, WSGIUTILS), "localhost", 8080),)


def cherrypy_binds(spec: ServerSpec) -> tuple[Bind, ...]:
    """Return the address of ``cherrypy``: ``host`` is a host, ``host:port`` or a socket's path.

    Raises:
        ConfigError: an option is unknown, its value is not of its type, or the PEM file cannot
            be used.
    """
    values = options.check(spec, CHERRYPY)
    _check_threads(spec, values)
    pem = str(values.get("ssl_pem", ""))
    if pem:
        check_pem(spec, pem)
    host = str(values.get("host", "127.0.0.1"))
    if host.startswith(("/", "./")):
        if "port" in values:
            raise options.refusal(
                spec, "port", "cannot stand beside a host that is a path", hint="remove port"
            )
        return (Bind("unix", path=host, mode=0o777),)
    default = 4443 if pem else 8080
    name, colon, number = host.rpartition(":")
    if colon and "port" not in values and (":" not in name or host.startswith("[")):
        if number.endswith("]"):
            return (Bind("tcp", options.bare_host(host), default),)
        try:
            return (Bind("tcp", options.bare_host(name), options.port(number)),)
        except ValueError:
            raise options.refusal(
                spec, "host", found=f'"{host}"', expected="a host, host:port or a socket's path"
            ) from None
    return (options.tcp(values, "127.0.0.1", default),)


def _check_threads(spec: ServerSpec, values: dict[str, object]) -> None:
    most, least = int(str(values.get("max", -1))), int(str(values.get("numthreads", 10)))
    if 0 < most < least:
        raise options.refusal(
            spec,
            "max",
            found=f'"{most}"',
            expected=f"at least numthreads, which is {least}",
        )


def check_pem(spec: ServerSpec, path: str, option: str = "ssl_pem") -> None:
    """Try a file with a key and its certificate.

    Raises:
        ConfigError: it cannot be read, or the two do not belong together.
    """
    import ssl  # noqa: PLC0415  # only those who use it pay for it

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise options.refusal(
            spec,
            option,
            f"the key and certificate in {path} cannot be used: {reason}",
            hint="the file has the private key and then the certificates, all in PEM",
        ) from error
    except OSError as error:
        raise options.refusal(spec, option, f"{path} cannot be read: {error.strerror}") from error


def server_options(spec: ServerSpec) -> ServerOptions:
    """Return the options of the server itself, of either spelling."""
    values = options.check(spec, CHERRYPY)
    return ServerOptions(
        threads=int(str(values.get("numthreads", 10))),
        timeout_s=float(str(values.get("timeout", 10))),
        protocol=str(values.get("protocol_version", "HTTP/1.1")),
        server_name=str(values.get("server_name", "")),
        ssl_pem=str(values.get("ssl_pem", "")),
        backlog=int(str(values.get("request_queue_size", 0))),
    )
