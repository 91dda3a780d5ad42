"""Memory that processes share, as a file without a name."""

from __future__ import annotations

import os


def unnamed_file(size: int) -> int:
    """Return a descriptor of ``size`` zeroed bytes; it can be mapped, and passed to a child."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pastebox-counters")
    else:
        import tempfile  # noqa: PLC0415  # only where the kernel has no memfd

        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
