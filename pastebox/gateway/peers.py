"""Which front ends may talk to the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network


def peer_check(allowed: Iterable[str]) -> Callable[[str], bool]:
    """Return whether an address is among ``allowed``: addresses, networks, or ``*`` for all.

    Raises:
        ValueError: a word is none of these.
    """
    words = tuple(allowed)
    if "*" in words:
        return lambda _: True
    networks = [ip_network(word, strict=False) for word in words]
    known: dict[str, bool] = {}

    def check(host: str) -> bool:
        host = host.partition("%")[0].removeprefix("::ffff:")
        if host not in known:
            if len(known) > 1000:  # noqa: PLR2004  # a scan of the network must not fill the memory
                known.clear()
            address = ip_address(host)
            known[host] = any(address in network for network in networks)
        return known[host]

    return check
