"""The configuration of a process: supervisor's, with options of ours, and without log files."""

from typing import Any

from supervisor.datatypes import Automatic
from supervisor.dispatchers import POutputDispatcher
from supervisor.options import EventListenerConfig, FastCGIProcessConfig, ProcessConfig

from pastebox.daemon.channel import OutputDispatcher
from pastebox.daemon.own_options import OwnOptions, own_options
from pastebox.daemon.processes import OurFastCGIProcess, OurProcess

_SAME_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2")


class _Ours:
    """What the configurations of processes have in common."""

    optional_param_names = (
        "environment",
        "serverurl",
        *OwnOptions._fields,
    )
    req_param_names: list[str]
    essential, together, restarts, reload_signal = OwnOptions()
    options: Any

    def __eq__(self, other: object) -> bool:
        """Compare what is said of the program, ours as well."""
        names = (*self.req_param_names, *self.optional_param_names)
        return type(other) is type(self) and all(
            Automatic in (getattr(self, name), getattr(other, name))
            or getattr(self, name) == getattr(other, name)
            for name in names
        )

    __hash__ = object.__hash__

    def process_class(self) -> type[OurProcess]:
        """Return the class of its processes."""
        return OurProcess

    def make_process(self, group: Any = None) -> OurProcess:
        """Return a process of ours."""
        process = self.process_class()(self)
        process.group = group
        return process

    def make_dispatchers(self, proc: Any) -> Any:
        """Return what reads and writes the pipes, and the pipes."""
        dispatchers, pipes = super().make_dispatchers(proc)  # type: ignore[misc]  # a mixin
        return self.with_lines(dispatchers, proc), pipes

    def create_autochildlogs(self) -> None:
        """Make no files: what would be one is the daemon's own output."""
        for name in ("stdout_logfile", "stderr_logfile"):
            if getattr(self, name) is Automatic or getattr(self, name) in _SAME_STREAMS:
                setattr(self, name, None)

    def with_lines(self, dispatchers: dict[int, Any], process: Any) -> dict[int, Any]:
        """Put lines in the place of log files, except where a file was asked for."""
        for fd, dispatcher in dispatchers.items():
            if not isinstance(dispatcher, POutputDispatcher):
                continue
            if getattr(self, f"{dispatcher.channel}_logfile") is None:
                lines = self.options.make_lines(process, dispatcher.channel)
                dispatchers[fd] = OutputDispatcher(process, dispatcher.channel, fd, lines)
        return dispatchers


class OurConfig(_Ours, ProcessConfig):  # type: ignore[misc]  # supervisor has no types
    """A ``[program:NAME]``."""


class OurListenerConfig(_Ours, EventListenerConfig):  # type: ignore[misc]  # likewise
    """An ``[eventlistener:NAME]``."""


class OurFastCGIConfig(_Ours, FastCGIProcessConfig):  # type: ignore[misc]  # likewise
    """A ``[fcgi-program:NAME]``."""

    def process_class(self) -> type[OurProcess]:
        """Return the class of its processes."""
        return OurFastCGIProcess


CONFIGS = {
    ProcessConfig: OurConfig,
    EventListenerConfig: OurListenerConfig,
    FastCGIProcessConfig: OurFastCGIConfig,
}


def take_options(config: Any, parser: Any, section: str) -> None:
    """Read the options that are ours from a section.

    Raises:
        ValueError: one of them is wrong.
    """
    own = own_options(lambda name, default: str(parser.saneget(section, name, default)))
    config.essential, config.together, config.restarts, config.reload_signal = own
    text = parser.saneget(section, "environment_json", None, do_expand=False)
    if text is not None:
        import json  # noqa: PLC0415  # not every program has one

        config.environment = {**config.environment, **json.loads(text)}
