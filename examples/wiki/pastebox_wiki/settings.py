"""Read and check the wiki's own settings of the application section."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MIN_SECRET_LENGTH = 16
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
_BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}
_PLACEHOLDER_WORDS = (
    r"change(it|me|this)?|replace(me|this)?|placeholder|example|todo|fixme|x+|"
    r"(my|your|the)?(session)?(secret|key)"
)
_PLACEHOLDER = re.compile(rf"({_PLACEHOLDER_WORDS})*")
_UNRENDERED = re.compile(r"%\(|\$\{|\{\{|^<.*>$")


@dataclass(frozen=True, slots=True)
class WikiSettings:
    """What the INI says about this wiki."""

    title: str
    session_secret: str = field(repr=False)
    session_secure: bool


def read_settings(settings: Mapping[str, str]) -> WikiSettings:
    """Check the settings of the application section and return them typed.

    Raises:
        ValueError: an option is missing or cannot be used; the message names it.
    """
    return WikiSettings(
        title=settings.get("wiki.title", "").strip() or "Wiki",
        session_secret=_session_secret(settings.get("session.secret", "").strip()),
        session_secure=_boolean("session.secure", settings.get("session.secure", "false")),
    )


def setup_delay(settings: Mapping[str, str]) -> float:
    """Return how many seconds the first boot is made to take, 0 unless a test asks for more.

    Raises:
        ValueError: `wiki.setup_delay` is not a number of seconds.
    """
    text = settings.get("wiki.setup_delay", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"wiki.setup_delay: expected a number of seconds, found {text!r}")
    return seconds


def _session_secret(secret: str) -> str:
    """Return the secret, or refuse one that others could know; never repeat it."""
    if not secret:
        raise ValueError("session.secret is missing: set it to a long random text")
    if _UNRENDERED.search(secret) or _is_placeholder(secret):
        raise ValueError("session.secret is still a placeholder: set it to a long random text")
    if len(secret) < MIN_SECRET_LENGTH:
        raise ValueError(
            f"session.secret: expected at least {MIN_SECRET_LENGTH} characters, found {len(secret)}"
        )
    return secret


def _is_placeholder(secret: str) -> bool:
    """Tell whether a secret is made only of words that stand for a secret."""
    letters = re.sub(r"[\W_]+", "", secret).lower()
    return _PLACEHOLDER.fullmatch(letters) is not None


def _boolean(option: str, text: str) -> bool:
    """Return the truth a word stands for; an unknown word is an error, not False."""
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{option}: expected true or false, found {text!r}") from None
