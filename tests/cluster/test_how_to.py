"""The how-to alone leads a new user from nothing to a wiki, an upgrade, and back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from chart_render import ROOT
from cluster_database import PASSWORD, ask, start_database
from cluster_images import Images, image_values
from doc_blocks import blocks_of, commands_of
from helm_program import helm_program
from kube import Namespace, kubectl

PAGE = ROOT / "docs/how-to/kubernetes.md"


@pytest.fixture
def desk(tmp_path: Path, namespace: Namespace, images: Images) -> Path:
    """A directory with what the page shows, and a database that it asks for."""
    start_database(namespace, images.database)
    namespace.run("delete", "secret", "wiki-db", "--wait=true")
    for block in blocks_of(PAGE.read_text()):
        if block.language == "ini" and block.kind == "file":
            (tmp_path / block.rest).write_text(block.text + "\n")
        elif block.language == "yaml" and "registry.example" in block.text:
            values = yaml.safe_load(block.text) | {"image": image_values(images.wiki)}
            (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "helm").symlink_to(ROOT / "helm")
    config = tmp_path / "kubeconfig"
    config.write_text(kubectl("config", "view", "--raw", "--flatten"))
    config.chmod(0o600)
    context = ("config", "set-context", "--current", f"--namespace={namespace.name}")
    kubectl("--kubeconfig", str(config), *context)
    return tmp_path


def test_the_how_to_leads_to_a_wiki(desk: Path, namespace: Namespace):
    commands = [
        command.text
        for block in blocks_of(PAGE.read_text())
        if "tests/cluster/test_how_to.py" in block.rest
        for command in commands_of(block)
    ]
    for command in commands:
        type_in(desk, command)
        if command.startswith("helm install"):
            first = {pod.name for pod in namespace.serving(2)}
            secret = namespace.get("secret", "wiki-pastebox-generated")["data"]
            ini = desk / "app.ini"
            ini.write_text(ini.read_text() + "threads = 6\n")
        elif command.startswith("helm upgrade"):
            assert not first & {pod.name for pod in namespace.serving(2)}
    assert len(namespace.serving(2)) == 2
    assert namespace.get("secret", "wiki-pastebox-generated")["data"] == secret
    assert ask(namespace, "SELECT count(*) > 0 FROM setup_run") == ["t"]


def type_in(desk: Path, command: str) -> None:
    path = os.pathsep.join((os.path.dirname(str(helm_program())), os.environ["PATH"]))
    environ = {"PATH": path, "KUBECONFIG": str(desk / "kubeconfig"), "DB_PASSWORD": PASSWORD}
    answer = subprocess.run(
        ["sh", "-c", command],
        cwd=desk,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert answer.returncode == 0, f"{command}: {answer.stdout}{answer.stderr}"
