"""Look at what is there: the INI, the journal, the application's version. Nothing is changed."""

from typing import TYPE_CHECKING, NamedTuple

from pastebox.boot import journal as journals
from pastebox.boot.identity import is_alive
from pastebox.boot.journal import Fingerprint, Journal
from pastebox.boot.model import Facts
from pastebox.boot.model import Fingerprint as Comparison
from pastebox.boot.start import Start
from pastebox.config.model import ConfigSpec
from pastebox.config.read import Config, read
from pastebox.errors import ConfigError

if TYPE_CHECKING:
    from pastebox.boot.parts import NamedPart


_OUT_OF_REACH = (
    "there is no INI here; another start has made one, with secrets that must be the same in all"
)
_TO_REACH_IT = (
    "give all of them the same PASTEBOX_INSTANCE_SEED_FILE, or one volume;"
    " to begin from nothing, delete the Lease"
)


class Situation(NamedTuple):
    """The facts, and the values that they were made from.

    ``fingerprint`` is ``None`` where nothing depends on it: no INI, or ``setup=never``.
    """

    facts: Facts
    spec: ConfigSpec | None
    fingerprint: Fingerprint | None
    journal: Journal | None


def gather(start: Start, *, lock_proves_death: bool = False) -> Situation:
    """Gather the facts of this moment; cheap where the journal says that all is done.

    Args:
        start: the inputs.
        lock_proves_death: we hold a lock that a living holder would still have.

    Raises:
        ConfigError: the INI is wrong, or names a distribution that is not installed.
        NoPermissionError: the journal or the INI cannot be read.
    """
    spec = start.spec()
    content = start.journal()
    config = _config(start, spec)
    parts = [] if config is None else _parts(config)
    fingerprint = None if config is None else _fingerprint(config, parts)
    if content is not None and fingerprint is not None and journals.is_done(content, fingerprint):
        facts = Facts(has_ini=True, journal="done", fingerprint="same")
        return Situation(facts, spec, fingerprint, None)
    facts = _base(start, spec)
    if content is None:
        facts = facts._replace(has_setup=config is None or _has_setup(start, parts))
        return Situation(facts, spec, fingerprint, None)
    try:
        journal = journals.parse(content)
    except journals.NewerJournalError as error:
        facts = facts._replace(journal="newer", remark=str(error))
        return Situation(facts, spec, fingerprint, None)
    except journals.UnreadableJournalError as error:
        facts = facts._replace(journal="unreadable", remark=str(error))
        return Situation(facts, spec, fingerprint, None)
    facts = facts._replace(
        journal=journal.state,
        holder_alive=journal.state == "running"
        and not lock_proves_death
        and is_alive(journal.holder),
        is_locked_out=start.settings.lock != "none",
        fingerprint=compare(journal, fingerprint),
        remark=journal.remark,
    )
    if spec is None and _is_out_of_reach(start, journal):
        facts = facts._replace(can_make=False, missing=_OUT_OF_REACH, advice=_TO_REACH_IT)
    return Situation(facts, spec, fingerprint, journal)


def _is_out_of_reach(start: Start, journal: Journal) -> bool:
    """Whether an INI was made on a volume that is not ours, and another one would differ."""
    is_made = journal.state == "done" or journal.step != "make-config"
    if not is_made or start.lock.keeps_ini != "nowhere":
        return False
    from pastebox.boot.make_config import seed_of  # noqa: PLC0415  # no INI only

    # It may have been made since the facts were begun with.
    return seed_of(start.environ) is None and start.spec() is None


def compare(journal: Journal, fingerprint: Fingerprint | None) -> Comparison:
    """Compare what was set up with what is there today."""
    if fingerprint is None:
        return "unknown"
    # One application that went back is a downgrade, whatever the others did.
    from pastebox.boot.version import is_lower  # noqa: PLC0415  # only where something differs

    recorded = dict(journal.applications)
    for name, version in fingerprint.applications:
        if name in recorded and is_lower(version, recorded[name]):
            return "downgrade"
    is_same = journal.applications == fingerprint.applications
    if is_same and journal.config == journals.salted(journal.salt, fingerprint.config):
        return "same"
    return "differs"


def fingerprint_of(start: Start, spec: ConfigSpec) -> Fingerprint:
    """Return the version of each application behind an INI, and its configuration's digest.

    Raises:
        ConfigError: the INI is wrong.
    """
    config = read(start.source(spec), start.environ)
    return _fingerprint(config, _parts(config))


def _config(start: Start, spec: ConfigSpec | None) -> Config | None:
    """Read the INI, unless nothing depends on it."""
    if spec is None or (start.policy.setup == "never" and not start.policy.force):
        return None
    return read(start.source(spec), start.environ)


def _parts(config: Config) -> "list[NamedPart]":
    from pastebox.boot.parts import named_parts  # noqa: PLC0415  # setup=never needs none

    return named_parts(config)


def _fingerprint(config: Config, parts: "list[NamedPart]") -> Fingerprint:
    digest = config.digest(config.source.spec.name)
    return Fingerprint(tuple(sorted({part.label for part in parts})), digest)


def _has_setup(start: Start, parts: "list[NamedPart]") -> bool:
    from pastebox.boot.hooks import has_hooks  # noqa: PLC0415  # a first start only
    from pastebox.boot.parts import has_setup  # noqa: PLC0415  # likewise

    # The setup may be the operator's: an OpenStack API has "db sync" in a hook, and no websetup.
    is_hooked = has_hooks(start.settings.hooks_dir, ("pre-setup", "post-setup"))
    return is_hooked or any(has_setup(part) for part in parts)


def _base(start: Start, spec: ConfigSpec | None) -> Facts:
    facts = Facts(
        has_ini=spec is not None,
        journal_path=start.paths.journal,
        repair=start.repair_command(),
    )
    if spec is not None:
        return facts
    from pastebox.boot.make_config import application_for  # noqa: PLC0415  # no INI only

    missing = f"there is no INI (looked at {', '.join(start.located.looked_at)})"
    try:
        application_for(start.settings)
    except ConfigError as error:
        missing = f"{missing}, and none can be made: {error}"
        return facts._replace(missing=missing, advice=error.hint or "")
    return facts._replace(can_make=True, missing=missing)
