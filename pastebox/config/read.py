"""One INI with everything that is laid over it, read without importing the application."""

from collections.abc import Mapping
from typing import NamedTuple

from pastebox.config import reach
from pastebox.config.document import Documents, documents
from pastebox.config.model import AppSource, Origin
from pastebox.config.parser import IniParser
from pastebox.errors import ConfigError, PasteboxError
from pastebox.option import Given


class Config(NamedTuple):
    """An INI, and what opens the files that it includes.

    Attributes:
        source: the recipe it was read by.
        parser: the sections; a ConfigParser, so ``logging.config.fileConfig`` takes it.
        documents: what opens included files.
        unopened: files that are named, or seem to be, and cannot be opened; known once
            :meth:`reached` has looked.
        looked_up: what :meth:`reached` has found.
    """

    source: AppSource
    parser: IniParser
    documents: Documents
    unopened: dict[str, reach.Unopened]
    looked_up: list[reach.Reached]

    def sections(self) -> list[str]:
        """Return the names of the sections, in the order of the file."""
        return self.parser.sections()

    def get(self, section: str, option: str) -> str:
        """Return an expanded value.

        Raises:
            ConfigError: the value cannot be expanded.
            configparser.Error: there is no such section or option.
        """
        return str(self.parser.get(section, option))

    def origin(self, section: str, option: str) -> Origin:
        """Say where the value in force was written."""
        return self.parser.place(section, option)

    @property
    def has_loggers(self) -> bool:
        """Whether the INI configures logging."""
        return self.parser.has_section("loggers")

    def pastebox_section(self) -> dict[str, Given]:
        """Return the ``[pastebox]`` section's own options, for ``settings.resolve``."""
        if not self.parser.has_section("pastebox"):
            return {}
        given = {}
        for option in self.parser.own_options("pastebox"):
            place = self.origin("pastebox", option)
            where = f"{place.file}:{place.line}" if place.line else place.text
            given[option] = Given(self.get("pastebox", option), where, place.file, place.line)
        return given

    def missing(self) -> list[reach.Missing]:
        """Return the references without a value that serving would meet."""
        return reach.missing(self.reached())

    def reached(self) -> list[reach.Reached]:
        """Return the sections that serving can touch, included files as well.

        The files are read the first time, and stay as they were then.
        """
        if not self.looked_up:
            name = self.source.spec.name
            found = reach.everything(self.documents, self.parser, name, self.unopened)
            self.looked_up.extend(found)
        return self.looked_up

    def lost(self, before: "Config") -> PasteboxError | None:
        """Return why a file is missing here that ``before`` had, or that this one is made of."""
        had = {one.parser.filename for one in before.reached()}
        self.reached()
        for path, (option, error) in self.unopened.items():
            if path in had or (option == "use" and path not in before.unopened):
                return error
        return None

    def digest(self, name: str) -> str:
        """Return a fingerprint of everything that the application ``name`` depends on."""
        from pastebox.config.digest import digest  # noqa: PLC0415  # only first boot asks

        return digest(self.documents, self.parser, name)

    def secrets(self) -> frozenset[str]:
        """Return the values of the secrets that the INI and its includes refer to."""
        from pastebox.config.render import secret_values  # noqa: PLC0415  # only output asks

        return secret_values(self)

    def render(self) -> str:
        """Return the effective INI as text, with every secret masked."""
        from pastebox.config.render import render  # noqa: PLC0415  # only output asks

        return render(self)


def read(source: AppSource, environ: Mapping[str, str]) -> Config:
    """Read an INI with its overlays and overrides.

    Raises:
        ConfigError: a file is wrong, or references that serving would meet have no value;
            all of those are in one error.
        NoPermissionError: a file may not be read.
    """
    config = read_leniently(source, environ)
    refuse_missing(config.missing())
    return config


def read_leniently(source: AppSource, environ: Mapping[str, str]) -> Config:
    """Read an INI as ``read`` does, and leave references without a value alone.

    Raises:
        ConfigError: a file is wrong.
        NoPermissionError: a file may not be read.
    """
    opener = documents(source, environ)
    return Config(source, opener.main(), opener, {}, [])


def refuse_missing(found: list[reach.Missing]) -> None:
    """Raise one error that names every reference without a value.

    Raises:
        ConfigError: there is at least one.
    """
    if not found:
        return
    errors = [_missing_error(entry) for entry in found]
    if len(errors) == 1:
        raise errors[0]
    rows = "".join(f"\n  {error}" for error in errors)
    raise ConfigError(f"{len(errors)} references have no value:{rows}", hint=errors[0].hint)


def _missing_error(entry: reach.Missing) -> ConfigError:
    parser, section, option, name = entry
    return parser.error(
        section,
        option,
        f"%({name})s has no value",
        expected=parser.variables.looked_for(name),
        hint=_missing_hint(name),
    )


def _missing_hint(name: str) -> str:
    kind, _, bare = name.partition("_")
    if kind == "SECRET":
        return f'mount it as a file: docker run -v "$PWD/{bare}:/run/secrets/{bare}:ro" IMAGE'
    return f"docker run -e {bare}=VALUE sets it; an option {name} in [DEFAULT] is the fallback"
