"""Five wikis from one image: five volumes, five secrets, none sees another's pages."""

from __future__ import annotations

import pytest
from wiki_reader import assert_apart

COUNT = 5


@pytest.mark.timeout(240)
def test_none_sees_anothers_pages_or_secret(run, wiki_image):
    containers = [
        run(options=["--env", "PASTEBOX_READY_PATH=/ready"], image=wiki_image) for _ in range(COUNT)
    ]
    for container in containers:
        container.wait_for_health("healthy")
    assert_apart([container.url() for container in containers])
    command = "sed -n 's/^session.secret = //p' $(find /data/.pastebox -name '*.ini')"
    secrets = {container.exec("sh", "-c", command) for container in containers}
    assert len(secrets) == COUNT
    assert [container.stop() for container in containers] == [0] * COUNT
