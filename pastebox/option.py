"""One row of the settings table, and a value as somebody wrote it."""

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast, overload

from pastebox.converters import Converter

if TYPE_CHECKING:
    from pastebox.settings import Settings

T = TypeVar("T")
PREFIX = "PASTEBOX_"


class Option(Generic[T]):
    """One row of the table, and the typed attribute through which its value is read."""

    name: str = ""

    def __init__(
        self,
        group: str,
        default: str | None,
        converter: Converter[T],
        text: str,
        *,
        metavar: str = "VALUE",
    ) -> None:
        self.group = group
        self.default = default
        self.converter = converter
        self.text = text
        self.metavar = metavar

    def __set_name__(self, owner: "type[Settings]", name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: "type[Settings]") -> "Option[T]": ...
    @overload
    def __get__(self, instance: "Settings", owner: "type[Settings]") -> T: ...
    def __get__(self, instance: "Settings | None", owner: "type[Settings]") -> "Option[T] | T":
        if instance is None:
            return self
        return instance.value(self)

    @property
    def environment(self) -> str:
        """The environment variable: ``PASTEBOX_DRAIN_DELAY``."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The command-line option: ``--drain-delay``."""
        return "--" + self.name.replace("_", "-")


def unset(
    group: str, converter: Converter[T], text: str, *, metavar: str = "VALUE"
) -> Option[T | None]:
    """Make a row without a default: its value is ``None`` until somebody gives one."""
    return Option(group, None, cast("Converter[T | None]", converter), text, metavar=metavar)


class Given(NamedTuple):
    """A value as somebody wrote it, and where: ``argument --port``, ``app.ini:14``."""

    text: str
    origin: str
    file: str | None = None
    line: int | None = None
