"""The gateway behind lighttpd."""

import gateway_grid
import pytest
from front_ends import lighttpd

pytestmark = pytest.mark.protocol

SIDES = {
    "scgi_thread": "scgi",
    "scgi_fork": "scgi",
    "fcgi_thread": "fastcgi",
    "fcgi_fork": "fastcgi",
    "ajp_thread": "ajp13",
    "ajp_fork": "ajp13",
}


@pytest.fixture(scope="module", params=SIDES)
def grid(request, tmp_path_factory):
    kind = SIDES[request.param]
    directory = tmp_path_factory.mktemp(request.param)
    process = gateway_grid.start(directory, "flup_" + request.param)
    front = None
    try:
        front = lighttpd(directory / "lighttpd", kind, process.port)
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
