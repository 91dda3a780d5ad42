"""Set up logging: the INI's ``[loggers]``, else lines of text or JSON on one stream."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from configparser import ConfigParser, RawConfigParser
from typing import IO, Any, TextIO

from pastebox.errors import ConfigError, ExitCode, PasteboxError
from pastebox.observe.moment import iso
from pastebox.process.report import application_traceback, report

_OURS = "pastebox"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = {"WARNING": "warn", "CRITICAL": "fatal"}
_log = logging.getLogger(__name__)


class TextFormatter(logging.Formatter):
    """``2026-11-21T08:00:00.123Z info  master listening on 0.0.0.0:8080 generation=1``.

    A traceback follows in lines of its own, as Python writes it.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = (
            f"{iso(record.created)} {_level(record):<5} {_short(record.name)} {record.getMessage()}"
        )
        trace = _trace(self, record)
        return f"{line}\n{trace}" if trace else line


class JSONFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, pid, traceback, extra facts."""

    def __init__(self) -> None:
        super().__init__()
        import json  # noqa: PLC0415  # only this format pays for it

        self._encode = json.JSONEncoder(default=repr, skipkeys=True, separators=(",", ":")).encode

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        facts: dict[str, Any] = {
            "time": iso(record.created),
            "level": _level(record),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        trace = _trace(self, record)
        if trace:
            facts["traceback"] = trace
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in facts:
                facts[name] = value
        try:
            return self._encode(facts)
        except (ValueError, TypeError, RecursionError):  # a cycle, or a repr of no use
            return self._encode({name: repr(value) for name, value in facts.items()})


def configure(
    log_format: str,
    level: str,
    *,
    stream: TextIO | None = None,
    loggers: RawConfigParser | None = None,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Set up the root logger and what hangs on it.

    Args:
        log_format: ``ini``, ``text`` or ``json``; ``ini`` without ``loggers`` is ``text``.
        level: the least level shown; with the INI's loggers, of our own lines.
        stream: where text and JSON go, the standard error by default.
        loggers: the INI, if it has a ``[loggers]`` section.
        variables: names for its interpolation, such as ``here``; its own values win.

    Raises:
        ConfigError: the logging sections cannot be carried out.
    """
    if log_format == "ini" and loggers is not None:
        _configure_from_ini(loggers, variables or {}, level)
        return
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JSONFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


def tell(error: PasteboxError, log_format: str = "") -> None:
    """Write an error as the log is written: a JSON object in a line, else text for people."""
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    if not any(isinstance(formatter, JSONFormatter) for formatter in formatters):
        if log_format != "json":
            report(error)
            return
        configure("json", "error")
    facts: dict[str, object] = {"exit_code": int(error.exit_code)}
    for name in ("file", "line", "section", "option", "found", "expected", "hint"):
        if getattr(error, name) is not None:
            facts[name] = getattr(error, name)
    if error.__cause__ is not None and error.exit_code == ExitCode.APP_FAILED:
        facts["traceback"] = application_traceback(error.__cause__)
    logging.getLogger(_OURS).error("%s", error, extra=facts)


def _configure_from_ini(loggers: RawConfigParser, variables: Mapping[str, str], level: str) -> None:
    import logging.config  # noqa: PLC0415  # brings a socket server; only [loggers] pays for it

    for name, value in variables.items():
        if loggers.optionxform(name) not in loggers.defaults():
            escaped = value.replace("%", "%%") if isinstance(loggers, ConfigParser) else value
            loggers.set(loggers.default_section, name, escaped)
    try:
        logging.config.fileConfig(loggers, disable_existing_loggers=False)
    except Exception as error:  # args= are expressions and class= is any code
        raise ConfigError(
            f"logging cannot be set up: {type(error).__name__}: {error}",
            file=variables.get("__file__"),
            section="loggers",
            hint="check the [logger_*], [handler_*] and [formatter_*] sections,"
            " or set PASTEBOX_LOG_FORMAT=text to leave them aside",
        ) from error
    ours = logging.getLogger(_OURS)
    if ours.level == logging.NOTSET:
        # A root at WARN is about the application; "listening on" is wanted all the same.
        ours.setLevel(level.upper())


def foreign_classes(loggers: RawConfigParser) -> tuple[str, ...]:
    """Return handler and formatter classes that would be imported from outside ``logging``.

    The master must not set up such loggers: it never imports the application.
    """
    found = []
    for section in loggers.sections():
        if section.startswith(("handler_", "formatter_")):
            name = loggers.get(section, "class", raw=True, fallback="").strip()
            if "." in name and not name.startswith(("logging.", "handlers.")):
                found.append(name)
    return tuple(found)


def line_buffered(*streams: IO[str]) -> None:
    """Let every line leave at once, and let no character raise on the way."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="backslashreplace")


def reopen() -> None:
    """Open the files of all file handlers again, after a rotation moved them away.

    Standard output and error as well, where they go to a file of ours. A file that cannot be
    opened is reported, and the old one goes on.
    """
    from pastebox.process import output  # noqa: PLC0415  # once in a rotation

    refused = output.reopen()
    if refused is not None:
        _log.error("log file cannot be reopened: %s", refused)
    for handler in _file_handlers():
        handler.acquire()
        try:
            old = handler.stream
            handler.mode = "a"  # "w" would empty a file that nobody has moved
            handler.stream = handler._open()  # noqa: SLF001  # documented: opens the current base file
            if old is not None:
                old.close()
        except OSError as error:
            _log.error(
                event("log file cannot be reopened", file=handler.baseFilename, error=error)
            )  # the sentence says it all
        finally:
            handler.release()


def _file_handlers() -> list[logging.FileHandler]:
    known = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    found: dict[int, logging.FileHandler] = {}
    for logger in known:
        for handler in logger.handlers if isinstance(logger, logging.Logger) else ():
            if isinstance(handler, logging.FileHandler):
                found[id(handler)] = handler
    return list(found.values())


def event(message: str, **facts: object) -> str:
    """Return a message with facts at its end: ``worker ended pid=7 reason="killed by 9"``."""
    return " ".join([message, *(f"{name}={_fact(value)}" for name, value in facts.items())])


def _fact(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    if text and text.isprintable() and not any(mark in text for mark in ' "=\\'):
        return text
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return f'"{"".join(escapes.get(mark) or _visible(mark) for mark in text)}"'


def _visible(mark: str) -> str:
    return mark if mark.isprintable() else mark.encode("unicode_escape").decode("ascii")


def _short(name: str) -> str:
    """Return ``master`` for ``pastebox.master.loop``; other loggers keep their name."""
    package, _, rest = name.partition(".")
    return (rest.partition(".")[0] or _OURS) if package == _OURS else name


def _level(record: logging.LogRecord) -> str:
    return _LEVELS.get(record.levelname) or record.levelname.lower()


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    elif record.exc_text:
        parts.append(record.exc_text)
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)
