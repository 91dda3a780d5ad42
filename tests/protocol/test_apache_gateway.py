"""The gateway behind Apache."""

import gateway_grid
import pytest
from front_ends import apache

pytestmark = pytest.mark.protocol

SIDES = {
    "scgi_thread": ("scgi", "flushpackets=on"),
    "scgi_fork": ("scgi", "flushpackets=on"),
    "fcgi_thread": ("fcgi", "flushpackets=on"),
    "fcgi_fork": ("fcgi", "flushpackets=on"),
    "fcgi_thread_reuse": ("fcgi", "enablereuse=on flushpackets=on"),
    "ajp_thread": ("ajp", "ping=1 flushpackets=on"),
    "ajp_fork": ("ajp", "ping=1 flushpackets=on"),
}


@pytest.fixture(scope="module", params=SIDES)
def grid(request, tmp_path_factory):
    kind, options = SIDES[request.param]
    directory = tmp_path_factory.mktemp(request.param)
    runner = "flup_" + request.param.removesuffix("_reuse")
    process = gateway_grid.start(directory, runner)
    front = None
    try:
        address = f"127.0.0.1:{process.port}"
        front = apache(directory / "apache", kind, address, options=options)
        grid = gateway_grid.Grid(front.port, directory)
        grid.kind = kind
        yield grid
    finally:
        if front is not None:
            front.stop()
            print(front.log()[-3000:])
        process.kill()
        print(process.log()[-6000:])


@pytest.mark.parametrize("cell", gateway_grid.CELLS)
def test_cell(grid, cell):
    if (grid.kind, cell) == ("scgi", "chunked_upload"):
        # mod_proxy_scgi passes such a body on without a length, and SCGI has no other end of it
        assert grid.client.ask("POST", "/echo", iter([b"x"])).status == 411
        return
    getattr(grid, cell)()
