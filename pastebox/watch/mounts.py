"""Whether a directory's file system tells of every change: judged by its type (proc(5))."""

from __future__ import annotations

import os
import re

_TELLING = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs"}
    | {"tmpfs", "ramfs", "rootfs", "overlay", "aufs", "squashfs", "erofs", "iso9660", "nilfs2"}
    | {"apfs", "hfs", "ufs", "ntfs3", "vfat", "exfat"}
)
"""File systems whose every change passes through this kernel."""

_OCTAL = re.compile(r"\\([0-7]{3})")
Mounts = list[tuple[str, str]]
"""Mount point and type, the later mount last."""


def parse_mountinfo(text: str) -> Mounts:
    """Return the mounts of ``/proc/self/mountinfo``."""
    mounts: Mounts = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) > 4:  # noqa: PLR2004  # proc(5): the fifth is the mount point
            point = _OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[4])
            mounts.append((point, after.split(" ", 1)[0]))
    return mounts


def read_mounts() -> Mounts:
    """Return the mounts of this process; none where the kernel does not say."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return parse_mountinfo(file.read())
    except OSError:
        return []


def type_of(directory: str, mounts: Mounts) -> str:
    """Return the type of the file system behind a directory; empty when nobody says."""
    path = os.path.realpath(directory)
    best, kind = "", ""
    for point, type_ in mounts:
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # of two on one point, the later hides the other
            best, kind = point, type_
    return kind


def tells(kind: str) -> bool | None:
    """Whether a file system tells of every change; ``None`` where the type is not enough to know.

    Over the network, from a virtual machine's host or from a process (FUSE), files change behind
    the kernel's back: it tells only of what this machine does.
    """
    if kind in _TELLING:
        return True
    remote = ("fuse", "nfs", "9p", "cifs", "smb", "virtiofs", "vboxsf", "ceph", "drvfs", "afs")
    return False if kind.startswith(remote) or kind in ("fakeowner", "prl_fs", "vmhgfs") else None
