"""The cluster ring: the chart of this commit runs the images of this commit on a real cluster.

Each test has a namespace of its own. What Kubernetes knows of it is part of every failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_database import start_database
from cluster_images import Images, build_app, build_images, build_variant, example_values
from kube import Namespace

_NAMESPACES = pytest.StashKey[list[Namespace]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a cluster, and time."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.timeout(900))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Put what the cluster knows into the report of a failure."""
    report = yield
    if report.failed and call.when in ("setup", "call"):
        for namespace in item.stash.get(_NAMESPACES, []):
            report.sections.append((f"namespace {namespace.name}", namespace.diagnosis()))
    return report


@pytest.fixture(scope="session")
def images() -> Images:
    """The images of this commit, in the nodes."""
    return build_images()


@pytest.fixture(scope="session")
def app_image(images: Images) -> str:
    """The small application of the image ring on pastebox."""
    return build_app(images.pastebox)


@pytest.fixture(scope="session")
def newer_wiki(images: Images) -> str:
    """The wiki again, as the next version."""
    return build_variant("newer", images.wiki)


@pytest.fixture(scope="session")
def skewed_wiki(images: Images) -> str:
    """The wiki with what sets a pod's clock off."""
    return build_variant("skewed", images.wiki)


@pytest.fixture(scope="session")
def nginx(images: Images) -> str:
    """The nginx of the chart's ``frontend``."""
    return build_variant("nginx", images.wiki)


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace that is gone after the test."""
    made = Namespace()
    request.node.stash.setdefault(_NAMESPACES, []).append(made)
    yield made
    made.remove()


@pytest.fixture
def database(namespace: Namespace, images: Images) -> Namespace:
    """The same with an empty PostgreSQL in it."""
    start_database(namespace, images.database)
    return namespace


@pytest.fixture
def wiki_values(images: Images) -> Callable[..., dict[str, Any]]:
    """Values of an example of the chart with the wiki of this commit, and more."""

    def values(example: str = "postgresql", **more: Any) -> dict[str, Any]:
        return example_values(example, images.wiki, **more)

    return values
