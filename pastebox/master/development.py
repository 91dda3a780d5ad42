"""The development loop: what is saved is what answers the next request.

A change has the serving generation leave newcomers in the queue at once. The next generation
takes them; when it fails to load, the old one does, and shows why.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping

from pastebox.config.model import Bind
from pastebox.master.fleet import Fleet
from pastebox.master.generation import State
from pastebox.master.livereload import LiveReload
from pastebox.master.prepare import Prepared
from pastebox.master.request import ServeRequest
from pastebox.master.watching import Message, Watching
from pastebox.observe.status import Status
from pastebox.process import sockets as listening
from pastebox.process.loop import Loop, Timer
from pastebox.runners.loading import ANSWERS_ERRORS, LIVERELOAD, SHOWS_ERRORS, WATCHER
from pastebox.settings import Settings
from pastebox.watch.ahead import import_ahead
from pastebox.watch.child import Plan
from pastebox.watch.configured import files_of
from pastebox.watch.globs import Pattern, patterns
from pastebox.watch.interest import ASSET, CODE

log = logging.getLogger("pastebox.master")

_MOST_GENERATIONS = 4
"""With more of them the oldest must hurry: a stream that never ends would keep it for ever."""
_HURRY_S = 1.0
_SPARE_AFTER_S = 0.1


class Development:
    """What reloading on a change adds to the master.

    Args:
        loop: the master's.
        fleet: the generations.
        status: is told what went wrong.
        request: what is served; its environment reaches the workers.
        prepared: the first state of it.
        in_child: gives up, in the child, what is the master's alone.
        reload: loads a new generation.
        is_busy: whether somebody stands in a debugger in the generation of that number.
    """

    def __init__(
        self,
        loop: Loop,
        fleet: Fleet,
        status: Status,
        *,
        request: ServeRequest,
        prepared: Prepared,
        in_child: Callable[[], None],
        reload: Callable[[], None],
        is_busy: Callable[[int], bool] | None = None,
    ) -> None:
        self._is_busy = is_busy or (lambda _number: False)
        self._loop = loop
        self._fleet = fleet
        self._status = status
        self._request = request
        self._reload = reload
        self._wait_s = prepared.settings.reload_wait
        self._looks_ahead = prepared.settings.reload_ahead
        self._held: Timer | None = None
        self._failure = ""
        self._ahead: tuple[list[str], list[str]] = [], []
        self._has_failed = False
        settings = prepared.settings
        self._live: LiveReload | None = None
        if settings.livereload:
            self._live = open_live(loop, settings)
            request.environ[LIVERELOAD] = str(self._live.port)
        self._watching: Watching | None = None

        def give_up() -> None:
            in_child()
            self.close_in_child()  # the master does not know of this object yet

        def plan(board: int) -> Plan:
            return Plan(
                settings.reload,
                _patterns(prepared),
                tuple(_files(prepared, request.environ)),
                board,
            )

        self._watching = Watching(
            loop,
            plan,
            in_child=give_up,
            tell=self._hear,
            directory=request.environ.get("TMPDIR", "/tmp"),  # noqa: S108  # only where there is no abstract name space
        )
        request.environ[WATCHER] = self._watching.address
        request.environ[ANSWERS_ERRORS] = "1"
        if settings.dev:
            request.environ[SHOWS_ERRORS] = "1"

    # -- what the master tells -------------------------------------------------------------

    def served(self, prepared: Prepared) -> None:
        """The new code answers."""
        self._request.environ.pop(ANSWERS_ERRORS, None)
        self._release()
        self._wait_s = prepared.settings.reload_wait
        self._looks_ahead = prepared.settings.reload_ahead
        if self._watching is not None:
            self._watching.board.write("")
            self._watching.order(
                failed=bool(self._failure),  # it answers, and yet it has not loaded
                files=_files(prepared, self._request.environ),
            )
        self._tell_browsers()
        serving = self._fleet.serving
        if serving is not None:
            serving.order_lame()  # a kept connection would stay with the old code
        self._loop.call_later(_SPARE_AFTER_S, self._keep_spare)

    def failed(self) -> None:
        """The new code does not load: the old one goes on, and shows why."""
        self._has_failed = True
        self._release()
        serving = self._fleet.serving
        if serving is not None:
            serving.order_resume()
        if self._watching is not None:
            self._watching.board.write(self._failure or self._status.snapshot().troubles[-1].text)
            self._watching.order(failed=True)
        self._tell_browsers()
        self._keep_spare()

    def stopping(self) -> None:
        """Nothing follows: what waits is answered by what is there."""
        self._release()
        if self._fleet.serving is not None:
            self._fleet.serving.order_resume()

    def child_ended(self, pid: int) -> None:
        """A child that is no worker has ended."""
        self._fleet.spare_ended(pid)
        if self._watching is not None and pid == self._watching.pid:
            self._watching.forget()
            self._watching = None
            log.error("the watcher has ended: changes are no longer followed, HUP still reloads")

    def close_in_child(self) -> None:
        """Give the descriptor back in a forked child."""
        if self._watching is not None:
            self._watching.close_in_child()
        if self._live is not None:
            self._live.close_in_child()

    def close(self) -> None:
        """End the watcher."""
        if self._watching is not None:
            self._watching.close()
        if self._live is not None:
            self._live.close()

    # -- what the watcher tells --------------------------------------------------------------

    def _hear(self, message: Message) -> None:
        if "chosen" in message:
            log.info("%s", message["chosen"])
        if "warning" in message:
            log.warning("%s", message["warning"])
        if "others" in message:
            self._ahead = message["others"], message["edited"]
        if "failure" in message:
            self._failed_because(message["failure"])
        if message.get("kind") == CODE and not self._fleet.is_stopping:
            self._changed(message["changed"], message["count"])
        if message.get("kind") == ASSET:
            self._tell_browsers()

    def _failed_because(self, text: str) -> None:
        """Keep what a worker said; it may come before or after the end of its process."""
        self._failure = text
        if self._watching is not None:
            self._watching.order(failed=True)
        if self._has_failed and self._watching is not None:
            self._watching.board.write(text)
            self._tell_browsers()

    def _changed(self, paths: list[str], count: int) -> None:
        more = f" and {count - 1} more" if count > 1 else ""
        log.info("changed: %s%s", paths[0], more)
        self._failure = ""
        self._has_failed = False
        self._fleet.supersede()
        self._hold()
        self._hurry_the_oldest()
        self._reload()

    def _hold(self) -> None:
        serving = self._fleet.serving
        if serving is None or self._wait_s <= 0:
            return
        self._release()
        serving.order_hold()
        self._held = self._loop.call_later(self._wait_s, self._wait_is_over)

    def _wait_is_over(self) -> None:
        self._held = None
        if self._fleet.serving is not None:
            log.warning("still loading after %g s: the old code answers meanwhile", self._wait_s)
            self._fleet.serving.order_resume()

    def _tell_browsers(self) -> None:
        """Have pages loaded again; the number is there before anybody asks for it."""
        if self._live is not None and self._watching is not None:
            serving = self._fleet.serving
            self._watching.board.outdate(
                self._live.number + 1, 0 if serving is None else serving.number
            )
            self._live.tell()

    def _release(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None

    def _hurry_the_oldest(self) -> None:
        leaving = [
            one
            for one in self._fleet.generations
            if one.state is State.DRAINING and not self._is_busy(one.number)
        ]
        for generation in leaving[: max(0, len(leaving) + 2 - _MOST_GENERATIONS)]:
            generation.order_drain(_HURRY_S)

    def _keep_spare(self) -> None:
        names, edited = self._ahead if self._looks_ahead else ([], [])
        self._fleet.keep_spare(lambda is_over: import_ahead(names, edited, is_over))


def _files(prepared: Prepared, environ: Mapping[str, str]) -> list[str]:
    """Return the files of the configuration, unless it has a policy of its own."""
    if prepared.settings.given("on_config_change") is not None:
        return []
    return files_of(prepared.config, environ)


def _patterns(prepared: Prepared) -> tuple[Pattern, ...]:
    settings, spec = prepared.settings, prepared.source.spec
    directory = os.path.dirname(spec.path) if spec.scheme == "config" else os.getcwd()
    found = patterns(settings.watch or (), directory, settings.given("watch"))
    overlays = patterns((f"{settings.overlay_dir}/*.ini",), "/", None)
    return found if settings.given("on_config_change") else (*found, *overlays)


def open_live(loop: Loop, settings: Settings) -> LiveReload:
    """Open the port on which browsers wait, beside the health port.

    Raises:
        PasteboxError: it cannot be had.
    """
    bind = Bind("tcp", settings.health_host, settings.livereload_port)
    listener, *others = listening.bind_sockets(bind, setting="PASTEBOX_LIVERELOAD_PORT")
    for other in others:
        other.close()
    listener.listen(64)
    live = LiveReload(loop, listener)
    log.info("browsers wait for changes on %s", listening.describe(listener))
    return live
