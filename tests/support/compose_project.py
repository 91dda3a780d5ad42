"""A Compose project as people start it, under a name of its own."""

from __future__ import annotations

from pytest_docker.plugin import DockerComposeExecutor
from wiki_reader import Reader

UP = "up --detach --wait --no-build"
DOWN = "down --volumes --remove-orphans --timeout 5"


class Project:
    """A running Compose project of the wiki, under a name of its own."""

    def __init__(self, compose: DockerComposeExecutor) -> None:
        self.compose = compose

    def do(self, command: str) -> str:
        """Run one Compose command, whose words are the shell's; fail with what it said."""
        return self.compose.execute(command).decode().strip()

    def logs(self) -> str:
        """Return what every service logged."""
        return self.do("logs --no-color")

    def url(self, service: str) -> str:
        """Return the address under which the host reaches port 8080 of a service."""
        return f"http://{self.do(f'port {service} 8080')}"

    def front_page(self) -> str:
        """Return the wiki's first page."""
        status, text = Reader(self.url("wiki")).read("/")
        assert status == 200, self.logs()
        return text
