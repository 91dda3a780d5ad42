"""Nobody fills the log."""

import logging

from pastebox.gateway.sparing import Sparing


def test_twenty_lines_in_ten_seconds_and_the_rest_is_counted(caplog):
    now = [100.0]
    sparing = Sparing(logging.getLogger("peers"), clock=lambda: now[0])
    with caplog.at_level(logging.INFO, "peers"):
        for number in range(50):
            sparing.say(logging.INFO, "gone number=%d", number)
        sparing.tick()
        assert len(caplog.messages) == 20
        now[0] += 10
        sparing.tick()
        assert caplog.messages[20:] == ["lines about clients left out of the log count=30"]
        sparing.tick()
        sparing.say(logging.INFO, "again")
        assert caplog.messages[21:] == ["again"]


def test_what_was_left_out_is_told_with_the_next_line(caplog):
    now = [0.0]
    sparing = Sparing(logging.getLogger("peers"), clock=lambda: now[0])
    with caplog.at_level(logging.INFO, "peers"):
        for _ in range(21):
            sparing.say(logging.INFO, "gone")
        now[0] += 11
        sparing.say(logging.INFO, "gone")
    assert caplog.messages[-2:] == ["lines about clients left out of the log count=1", "gone"]
