"""Where a listening address is reached."""

import pytest

from pastebox.config.model import Bind
from pastebox.health.target import of_bind


@pytest.mark.parametrize(
    ("bind", "place", "authority"),
    [
        pytest.param(Bind("tcp", "0.0.0.0", 8080), "127.0.0.1:8080", "127.0.0.1:8080", id="any"),
        pytest.param(Bind("tcp", "", 8080), "127.0.0.1:8080", "127.0.0.1:8080", id="empty"),
        pytest.param(Bind("tcp", "::", 8080), "[::1]:8080", "[::1]:8080", id="any-6"),
        pytest.param(Bind("tcp", "fe80::1", 80), "[fe80::1]:80", "[fe80::1]:80", id="6"),
        pytest.param(Bind("tcp", "10.0.0.7", 80), "10.0.0.7:80", "10.0.0.7:80", id="own"),
        pytest.param(Bind("unix", path="/run/a.sock"), "unix:/run/a.sock", "localhost", id="unix"),
    ],
)
def test_a_wildcard_is_reached_by_its_loopback(bind, place, authority):
    target = of_bind(bind)
    assert target is not None
    assert (str(target), target.authority) == (place, authority)


def test_an_inherited_descriptor_has_no_address_of_its_own():
    assert of_bind(Bind("fd", port=3)) is None
