"""Become another user for good, as root may: groups, then user, then the way home."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import NamedTuple

from pastebox.errors import NoPermissionError, UsageError


class Identity(NamedTuple):
    """Who to become.

    Attributes:
        uid: the user.
        gid: the group.
        name: of the user, empty where the machine knows none for it.
        home: its directory, likewise.
    """

    uid: int
    gid: int
    name: str
    home: str


def identity(user: str | None, group: str | None) -> Identity | None:
    """Look up who is meant, by name or by number; ``None`` where nobody is named.

    Raises:
        UsageError: there is no such user or group, or a number has no group of its own.
    """
    if not user and not group:
        return None
    gid = _group(group) if group else None
    if not user:
        return Identity(os.getuid(), os.getgid() if gid is None else gid, "", "")
    import pwd  # noqa: PLC0415  # only where somebody is named

    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except (KeyError, OverflowError):
        if not user.isdecimal():
            raise UsageError(
                f'found "{user}", and there is no such user', option="--user"
            ) from None
        if gid is None:
            raise UsageError(
                f"the user {user} has no entry that tells its group",
                option="--user",
                hint="name the group with --group",
            ) from None
        return Identity(int(user), gid, "", "")
    return Identity(entry.pw_uid, entry.pw_gid if gid is None else gid, entry.pw_name, entry.pw_dir)


def _group(group: str) -> int:
    import grp  # noqa: PLC0415  # only where one is named

    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise UsageError(f'found "{group}", and there is no such group', option="--group") from None


def become(who: Identity, environ: MutableMapping[str, str]) -> None:
    """Give up every other user and group; nothing brings them back.

    ``HOME``, ``USER`` and ``LOGNAME`` follow, as they do with systemd's ``User=``.

    Raises:
        NoPermissionError: only root may.
    """
    if (who.uid, who.gid) == (os.geteuid(), os.getegid()) and os.geteuid() != 0:
        return
    try:
        if who.name:
            os.initgroups(who.name, who.gid)
        else:
            os.setgroups([who.gid])
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
    except OSError as error:
        raise NoPermissionError(
            f"cannot become uid {who.uid} gid {who.gid} as uid {os.geteuid()}: {error.strerror}",
            option="--user" if who.uid != os.geteuid() else "--group",
            hint="only root can; leave it out, or start it as that user",
        ) from error
    for path in (os.__file__, __file__):
        if not os.access(path, os.R_OK):
            raise NoPermissionError(
                f"cannot be read by uid {who.uid}, and the program needs it",
                file=path,
                hint="install Python and the application where that user can read them",
            )
    if who.name:
        environ.update(HOME=who.home, USER=who.name, LOGNAME=who.name)
