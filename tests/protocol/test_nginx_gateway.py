"""The gateway behind nginx."""

import gateway_grid
import pytest
from front_ends import nginx

pytestmark = pytest.mark.protocol

SIDES = {
    "scgi_thread": ("scgi", 0),
    "scgi_fork": ("scgi", 0),
    "fcgi_thread": ("fastcgi", 0),
    "fcgi_fork": ("fastcgi", 0),
    "fcgi_thread_keepalive": ("fastcgi", 8),
    "fcgi_fork_keepalive": ("fastcgi", 8),
}


@pytest.fixture(scope="module", params=SIDES)
def grid(request, tmp_path_factory):
    kind, keepalive = SIDES[request.param]
    directory = tmp_path_factory.mktemp(request.param)
    runner = "flup_" + request.param.removesuffix("_keepalive")
    process = gateway_grid.start(directory, runner)
    front = None
    try:
        address = f"127.0.0.1:{process.port}"
        front = nginx(directory / "nginx", kind, address, keepalive=keepalive)
        yield gateway_grid.Grid(front.port, directory)
    finally:
        if front is not None:
            front.stop()
            print(front.log()[-3000:])
        process.kill()
        print(process.log()[-6000:])


@pytest.mark.parametrize("cell", gateway_grid.CELLS)
def test_cell(grid, cell):
    getattr(grid, cell)()
