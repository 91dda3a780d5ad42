"""Five wikis from one image: five volumes, five secrets, none sees another's pages."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest

COUNT = 5


class Reader:
    """A visitor of one wiki, with cookies."""

    def __init__(self, base: str) -> None:
        self.base = base
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)

    def read(self, path: str) -> tuple[int, str]:
        """Return the status and the text of a page."""
        try:
            with self.opener.open(self.base + path, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def write(self, name: str, text: str) -> None:
        """Write a page through its form, as a browser does."""
        _status, form = self.read(f"/page/{name}/edit")
        token = re.search(r'name="csrf_token" value="([^"]+)"', form)
        base = re.search(r'name="base" value="([^"]*)"', form)
        assert token, form
        assert base, form
        fields = {"csrf_token": token[1], "base": base[1], "text": text, "summary": ""}
        fields |= {"author": "", "save": "save"}
        request = urllib.request.Request(
            f"{self.base}/page/{name}/edit",
            data=urllib.parse.urlencode(fields).encode(),
            headers={"Origin": self.base, "Referer": f"{self.base}/page/{name}/edit"},
        )
        with self.opener.open(request, timeout=20) as answer:
            assert text in answer.read().decode()


@pytest.mark.timeout(240)
def test_none_sees_anothers_pages_or_secret(run, wiki_image):
    containers = [
        run(options=["--env", "PASTEBOX_READY_PATH=/ready"], image=wiki_image) for _ in range(COUNT)
    ]
    for container in containers:
        container.wait_for_health("healthy")
    readers = [Reader(container.url()) for container in containers]
    for number, reader in enumerate(readers):
        reader.write(f"Only{number}", f"The page of wiki {number}.")
    for number, reader in enumerate(readers):
        statuses = [reader.read(f"/page/Only{other}")[0] for other in range(COUNT)]
        assert statuses == [200 if other == number else 404 for other in range(COUNT)]
    command = "sed -n 's/^session.secret = //p' $(find /data/.pastebox -name '*.ini')"
    secrets = {container.exec("sh", "-c", command) for container in containers}
    assert len(secrets) == COUNT
    assert [container.stop() for container in containers] == [0] * COUNT
