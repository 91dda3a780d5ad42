"""The inputs of one start, and what follows from them without looking at anything."""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pastebox.boot.faults import Faults
from pastebox.boot.lock import LOCAL, Lock
from pastebox.boot.model import Policy
from pastebox.boot.paths import StatePaths
from pastebox.config.locate import Located
from pastebox.config.model import AppSource, ConfigSpec
from pastebox.config.source import app_source
from pastebox.settings import Settings

Report = Callable[[str, str], None]
Sets = tuple[tuple[str, str], ...]


class Start(NamedTuple):
    """One start.

    Attributes:
        located: the INI that was given or found, if any.
        settings: the settings.
        variables: ``name=value`` words.
        sets: ``(section, key=value)`` of each ``--set``.
        environ: the environment; hooks change it.
        policy: what is asked for.
        paths: where the state is kept.
        lock: what keeps starts apart, and keeps the journal.
        faults: the armed points of death; none outside tests.
        report: told of every phase and of progress, as ``(phase, detail)``.
    """

    located: Located
    settings: Settings
    variables: Mapping[str, str]
    sets: Sets
    environ: dict[str, str]
    policy: Policy
    paths: StatePaths
    lock: Lock
    faults: Faults
    report: Report

    def journal(self) -> bytes | None:
        """Return the journal; whoever sets nothing up asks no server for it."""
        is_local = self.settings.lock in LOCAL
        if not is_local and self.policy.setup == "never" and not self.policy.force:
            return None
        return self.lock.recall(lambda text: self.report("waiting", text))

    def spec(self) -> ConfigSpec | None:
        """Return the INI: the one given, or the one that an earlier start generated."""
        if self.located.spec is not None:
            return self.located.spec
        if os.path.isfile(self.paths.generated_ini):
            return ConfigSpec("config", self.paths.generated_ini, "main", "make-config")
        return None

    @property
    def shares_made_ini(self) -> bool:
        """Whether the INI is made by one start for all, and handed on beside the lock."""
        return self.located.spec is None and self.lock.keeps_ini != "volume"

    def source(self, spec: ConfigSpec) -> AppSource:
        """Return the recipe of the application, as serving would have it."""
        return app_source(spec, self.settings, self.variables, self.environ, self.sets)

    def repair_command(self) -> str:
        """Return ``pastebox setup …`` as it has to be typed to work on the same state."""
        import shlex  # noqa: PLC0415  # not where all is well

        words = ["pastebox", "setup"]
        spec = self.located.spec
        if spec is not None:
            words.append(spec.path if spec.name == "main" else f"{spec.path}#{spec.name}")
            if spec.scheme != "config":
                words[-1] = f"{spec.scheme}:{words[-1]}"
        words.extend(f"{name}={value}" for name, value in self.variables.items())
        for section, pair in self.sets:
            words.extend(("--set", section, pair))
        # What came from the environment or the INI is there again; a flag is not.
        for name in ("data_dir", "lock"):
            given = self.settings.given(name)
            if given is not None and given.origin.startswith("argument"):
                words.extend((f"--{name.replace('_', '-')}", given.text))
        return shlex.join(words)
