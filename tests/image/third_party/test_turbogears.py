"""The application that TurboGears writes: its websetup runs once, its INI is not touched.

That INI asks for a server of gearbox and for a database and a cache beside itself, where nothing
is writable; all three are replaced from the environment.
"""

from __future__ import annotations

import pytest

ENVIRONMENT = {
    "PASTEBOX_SERVER": "waitress",
    "PASTE__APP_MAIN__SQLALCHEMY__URL": "sqlite:////data/site.db",
    "PASTE__APP_MAIN__CACHE_DIR": "/tmp/cache",
    "PASTE__DEFAULT__DEBUG": "false",
}
SETUP = "running setup_app() of tgsite.websetup"


@pytest.fixture(scope="module")
def turbogears(build_app):
    return build_app("turbogears")


@pytest.fixture
def options(hardened):
    return [*hardened, *(f"--env={name}={value}" for name, value in ENVIRONMENT.items())]


def test_its_websetup_makes_the_users_once(run, turbogears, options, client):
    first = run(image=turbogears, options=options)
    first.wait_for_health("healthy")
    assert "Welcome to TurboGears" in client(first).ask("/").body
    assert first.stop() == 0
    assert SETUP in first.logs()

    second = run(image=turbogears, options=options)
    second.wait_for_log("listening on")
    browser = client(second)
    user = {"login": "manager", "password": "of somebody else"}
    assert "Invalid Password" in browser.ask("/login_handler", form=user).body
    user["password"] = "managepass"
    assert "Welcome back, manager!" in browser.ask("/login_handler", form=user).body
    assert second.stop() == 0
    assert SETUP not in second.logs()
