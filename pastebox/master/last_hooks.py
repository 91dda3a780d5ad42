"""The hooks of ``post-stop``, when everything else has ended."""

import logging
import os
from collections.abc import MutableMapping

from pastebox.errors import PasteboxError
from pastebox.settings import Settings

log = logging.getLogger("pastebox.master")


def run(settings: Settings, environ: MutableMapping[str, str], code: int) -> int:
    """Run them; a hook that fails is the exit status where all else went well."""
    if not os.path.isdir(os.path.join(settings.hooks_dir, "post-stop")):
        return code
    from pastebox.boot.hooks import run_phase  # noqa: PLC0415  # where there are hooks

    try:
        run_phase("post-stop", settings, environ)
    except PasteboxError as error:
        log.error("%s", error.render())  # noqa: TRY400  # it says it all
        return code or error.exit_code
    return code
