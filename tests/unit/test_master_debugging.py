"""The sessions of developers: one turn at the terminal at a time, whoever speaks first."""

import json
import select

from pastebox.master.debugging import Debugging
from pastebox.master.relay import Words
from pastebox.process.loop import Loop
from pastebox.runners.loading import SESSIONS
from pastebox.settings import resolve
from pastebox.watch import link


class Fleet:
    """Nobody serves yet."""

    serving = None


def test_one_prompt_at_a_time_whoever_connects_and_whoever_speaks_first():
    loop, environ = Loop(), {}
    debugging = Debugging(loop, Fleet(), resolve({}, {}), environ)
    words, address = environ[SESSIONS].split(" ")
    assert words == "pdb"
    early, late = link.connect(address), link.connect(address)

    def step_until(condition):
        while not condition():
            loop.step(5.0)

    for one in (late, early):
        one.sendall(json.dumps({"generation": 7, "prompt": True}).encode() + b"\n")
        known = len(debugging._prompts)
        step_until(lambda known=known: len(debugging._prompts) > known)
    assert debugging.is_busy(7)
    assert not debugging.is_busy(6)
    assert late.recv(1) == b"g"
    assert not select.select([early], [], [], 0)[0]
    late.close()
    step_until(lambda: len(debugging._prompts) == 1)
    assert early.recv(1) == b"g"
    early.close()
    step_until(lambda: not debugging._prompts)
    assert not debugging.is_busy(7)
    debugging.close()
    loop.close()


def test_debugger_is_known_to_stand_from_what_it_tells_its_client():
    words = Words()

    def tell(**message):
        body = json.dumps(message).encode()
        for byte in b"Content-Length: %d\r\n\r\n%s" % (len(body), body):
            words.hear(bytes([byte]))
        assert words.is_between

    tell(type="event", event="stopped", body={"threadId": 1})
    assert words.is_paused
    tell(type="response", command="stackTrace", success=True)
    assert words.is_paused
    tell(type="response", command="continue", success=True)
    assert not words.is_paused
    words.hear(b"Content-Length: 5000\r\n\r\n")
    assert not words.is_between
    words.hear(b"x" * 5000)
    assert words.is_between
