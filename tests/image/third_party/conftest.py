"""Images of applications that nobody here wrote, and a client that talks to them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest

HARDENED = (
    "--user=1234567:0",
    "--read-only",
    "--tmpfs=/run",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)


class Reply(NamedTuple):
    """What a request came back with; redirects are followed."""

    status: int
    body: str
    headers: Mapping[str, str]

    def json(self):
        """Return the body, read as JSON."""
        return json.loads(self.body)


class Client:
    """A browser of few words: cookies and redirects, no proxy of the machine."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

    def ask(
        self,
        path: str,
        *,
        method: str | None = None,
        as_json: object = None,
        form: Mapping[str, str] | None = None,
        user: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; a status above 399 is an answer like any other."""
        request = Request(self._url + path, headers=dict(headers or {}), method=method)
        if as_json is not None:
            request.data = json.dumps(as_json).encode()
            request.add_header("Content-Type", "application/json")
        if form is not None:
            request.data = urlencode(form).encode()
        if user is not None:
            request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
        try:
            with self._opener.open(request, timeout=20) as answer:
                return Reply(answer.status, answer.read().decode(), answer.headers)
        except HTTPError as error:
            with error:
                return Reply(error.code, error.read().decode(), error.headers)


@pytest.fixture
def hardened(volume: str) -> list[str]:
    """Any UID, nothing writable but its volume, no capability."""
    return [*HARDENED, "--volume", f"{volume}:/data"]


@pytest.fixture
def client() -> Callable[..., Client]:
    """Make a client of a container."""
    return lambda container: Client(container.url())


@pytest.fixture(scope="session")
def build_app(standard_image: str, build_secrets: list[str], docker) -> Callable[[str], str]:
    """Build the image of one folder here, on top of the image under test."""

    def build(name: str) -> str:
        tag = f"pastebox-{name}:test"
        words = ["build", "--quiet", "--tag", tag, *build_secrets]
        words += ["--build-arg", f"PASTEBOX_IMAGE={standard_image}"]
        docker(*words, str(Path(__file__).parent / name), timeout=300)
        return tag

    return build
