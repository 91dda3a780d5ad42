"""The short way to the first answer: what a start on a volume that is set up has to do, in order.

The master's own modules (status, pages, metrics, fleet) are imported while the first worker,
which was forked before and has imported the server meanwhile, already loads the application.
Nothing is decided here that the master would decide otherwise; where there is more to do than
to serve, the head start is given up and the master does everything.
"""

import errno
import os
import socket
from typing import NamedTuple

from pastebox.config.bind import UNIX
from pastebox.config.locate import Located, ini_names
from pastebox.config.model import Bind, ConfigSpec
from pastebox.errors import ConfigError, PasteboxError
from pastebox.master.doors import Doors
from pastebox.master.prepare import Prepared, find, place, prepare
from pastebox.master.request import ServeRequest
from pastebox.process import sockets as listening
from pastebox.process.notify import NotifyReceiver
from pastebox.settings import Settings


class HeadStart(NamedTuple):
    """Where the start has come to when the master takes over.

    Attributes:
        located: the INI, if there is one yet.
        settings: the settings, as far as they are known.
        prepared: what follows from the INI, if there is one yet.
        health: the bound socket of the health port, unless it is off.
        doors: the bound sockets of the application; ``None`` where its address is not known yet.
        notify: where workers report to.
        settled: why nothing is to be done before serving; empty if there is something.
    """

    located: Located
    settings: Settings
    prepared: Prepared | None
    health: socket.socket | None
    doors: Doors | None
    notify: NotifyReceiver
    settled: str


def head_start(request: ServeRequest) -> HeadStart:
    """Find, read, check and bind; nothing that belongs to the application is touched.

    Raises:
        PasteboxError: what keeps it from being served.
    """
    located, settings = find(request)
    spec = located.spec
    if spec is None and not (settings.mode == "daemon" and ini_names(settings.instances_dir)):
        spec = _generated(settings)
    prepared = None
    # A hook may write what is read here, or export what it refers to. Who sleeps to be diagnosed
    # may have an INI that cannot be read, and needs no address.
    if spec is not None and settings.mode != "sleep" and not _has_hooks(settings.hooks_dir):
        prepared = prepare(request, spec, settings)
        settings = prepared.settings
    if settings.mode == "sleep":
        prepared = None
    # A web server starts one CGI process for each request: they have no port each.
    is_cgi = prepared is not None and prepared.runner.info.name == "cgi"
    health = None if is_cgi else bind_health(settings)
    doors = None
    if prepared is not None and settings.mode == "daemon":
        _try_addresses(prepared)  # one of its programs binds them
    elif prepared is not None:
        doors = bind_application(request, prepared)
    return HeadStart(
        located=located,
        settings=settings,
        prepared=prepared,
        health=health,
        doors=doors,
        notify=NotifyReceiver(request.environ.get("TMPDIR", "/tmp")),  # noqa: S108  # only where there is no abstract name space
        settled="" if prepared is None else why_settled(request, located, settings),
    )


def _generated(settings: Settings) -> ConfigSpec | None:
    """Return the INI that an earlier first boot made."""
    from pastebox.boot.paths import state_paths  # noqa: PLC0415  # where none is given or mounted

    path = state_paths(None, settings, os.getcwd()).generated_ini
    return ConfigSpec("config", path, "main", "make-config") if os.path.isfile(path) else None


def bind_health(settings: Settings) -> socket.socket | None:
    """Bind the health port first: what keeps it from answering is told before all else."""
    if settings.health_host.startswith(UNIX):
        bind = Bind("unix", path=settings.health_host.removeprefix(UNIX))
    elif settings.health_port is None:
        return None
    else:
        bind = Bind("tcp", settings.health_host, settings.health_port)
    health, *others = listening.bind_sockets(bind, setting="PASTEBOX_HEALTH_PORT")
    for other in others:
        other.close()
    health.listen(128)
    return health


def bind_application(request: ServeRequest, prepared: Prepared) -> Doors:
    """Bind before the application is imported: a port in use is told in milliseconds.

    For a server that binds by itself, the addresses are only tried.
    """
    descriptors = listening.inherited_descriptors(request.environ, os.getpid())
    listening.forget_inherited(request.environ)
    if not prepared.runner.info.adopts_sockets:
        if descriptors and prepared.binds:
            raise ConfigError(
                f"{prepared.runner.info.name} binds by itself, and cannot take systemd's sockets",
                hint="leave the socket unit out, or choose another server",
            )
        return Doors({}, _try_addresses(prepared))
    if descriptors:
        return Doors({Bind("fd", port=one): [listening.adopt(one)] for one in descriptors}, [])
    sockets = {bind: bind_one(bind, prepared) for bind in prepared.binds}
    return Doors(sockets, [bind.path for bind in prepared.binds if bind.kind == "unix"])


def bind_one(bind: Bind, prepared: Prepared) -> list[socket.socket]:
    """Bind one address.

    Raises:
        PasteboxError: it cannot be had; the place where it was written is told.
    """
    try:
        return listening.bind_sockets(bind)
    except PasteboxError as error:
        place(error, bind, prepared.spec)
        raise


def _try_addresses(prepared: Prepared) -> list[str]:
    """Bind and let go; return the paths of Unix sockets, which nobody else may remove."""
    paths = [bind.path for bind in prepared.binds if bind.kind == "unix"]
    for bind in prepared.binds:
        for one in bind_one(bind, prepared):
            one.close()
    for path in paths:
        os.unlink(path)
    return paths


def why_settled(request: ServeRequest, located: Located, settings: Settings) -> str:
    """Return why there is nothing to do before serving: no step, no hook, nothing to wait for.

    It is empty where there is something.

    Raises:
        PasteboxError: first boot is refused, with the reason.
    """
    if settings.mode == "sleep" or settings.wait_for or _has_hooks(settings.hooks_dir):
        return ""
    if settings.setup == "never":
        return "setup=never"
    from pastebox.boot.lock import LOCAL  # noqa: PLC0415  # after the cheap answers

    if settings.lock not in LOCAL:  # a server has the journal, which takes its time
        return ""
    from pastebox.boot.run import why_nothing_to_do  # noqa: PLC0415  # after the cheap answers

    return why_nothing_to_do(located, settings, request.words, request.environ, sets=request.sets)


def _has_hooks(directory: str) -> bool:
    """Whether a phase before serving has anything in it; the image has empty ones."""
    for phase in ("pre-config", "post-config", "pre-setup", "post-setup", "pre-serve"):
        try:
            if os.listdir(os.path.join(directory, phase)):
                return True
        except OSError as error:
            if error.errno != errno.ENOENT:
                return True  # first boot says what is wrong with it
    return False
