"""A visitor of the example wiki: reads pages and writes them through their form, with cookies."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence


class Reader:
    """A browser's session with one wiki; no proxy of the machine is used."""

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
        """Write a page as a browser does."""
        self.send(self.form(name), text)

    def form(self, name: str) -> dict[str, str]:
        """Open the form of a page; return what it holds."""
        path = f"/page/{name}/edit"
        _status, form = self.read(path)
        token = re.search(r'name="csrf_token" value="([^"]+)"', form)
        base = re.search(r'name="base" value="([^"]*)"', form)
        assert token, form
        assert base, form
        return {"path": path, "csrf_token": token[1], "base": base[1]}

    def send(self, form: dict[str, str], text: str) -> None:
        """Send a form that was opened, whenever that was."""
        fields = {**form, "text": text, "summary": "", "author": "", "save": "save"}
        address = self.base + fields.pop("path")
        request = urllib.request.Request(
            address,
            data=urllib.parse.urlencode(fields).encode(),
            headers={"Origin": self.base, "Referer": address},
        )
        with self.opener.open(request, timeout=20) as answer:
            assert text in answer.read().decode()


def assert_apart(addresses: Sequence[str]) -> None:
    """Write a page into each wiki, and find it in that one alone."""
    readers = [Reader(address) for address in addresses]
    for number, reader in enumerate(readers):
        reader.write(f"Only{number}", f"The page of wiki {number}.")
    for number, reader in enumerate(readers):
        statuses = [reader.read(f"/page/Only{other}")[0] for other in range(len(readers))]
        assert statuses == [200 if other == number else 404 for other in range(len(readers))]
