"""What a thread of a threaded worker does with a connection: converse as long as it may.

The loop owns connections that wait; a thread owns the one it serves, and gives it back.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING

from pastebox.process.last_bytes import unread
from pastebox.runners.threaded_drain import shut_down
from pastebox.runners.threaded_peer import CLOSED, LINGERING, WAITING, Peer

if TYPE_CHECKING:
    from pastebox.runners.threaded_loop import ThreadedLoop

log = logging.getLogger("pastebox.worker")


class Serving:
    """Serves connections of a loop; called in threads."""

    def __init__(self, loop: ThreadedLoop) -> None:
        self._loop = loop

    def __call__(self, peer: Peer) -> None:
        """Serve one until it has to wait for its client."""
        peer.thread = threading.get_ident()
        is_kept = False
        try:
            is_kept = self._serve(peer)
        except OSError as error:
            self._loop.complaints.say(logging.INFO, "connection lost error=%s", error)
        except BaseException:  # the connection has to go, whatever one request does to its thread
            log.exception("defect while serving")
        self._give_back(peer, is_kept=is_kept)

    def _serve(self, peer: Peer) -> bool:
        peer.socket.settimeout(self._loop.timeout_s)
        if peer.conversation is None:
            peer.conversation = self._loop.converse(peer.socket, peer.address, self._loop)
            peer.socket = peer.conversation.socket
        is_kept = peer.conversation.serve()
        while is_kept and peer.conversation.has_more():
            is_kept = peer.conversation.serve()
        return is_kept

    def _give_back(self, peer: Peer, *, is_kept: bool) -> None:
        if not is_kept and self._leaves(peer):
            return
        with contextlib.suppress(OSError), self._loop.lock:
            peer.since = time.monotonic()
            peer.socket.setblocking(False)
            peer.state = WAITING if is_kept else LINGERING
            self._loop.watch(peer)

    def _leaves(self, peer: Peer) -> bool:
        """Close in the thread where nothing is lost by it; else let the loop see it off."""
        if not (self._loop.is_lame or unread(peer.socket)) or not shut_down(peer):
            with self._loop.lock:
                peer.state = CLOSED
            self._loop.forget(peer)
            return True
        return False
