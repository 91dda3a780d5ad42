"""The chart as a user gets it: out of a registry."""

from __future__ import annotations

from cluster_images import image_values
from cluster_rolls import INI
from helms import Helm3
from release_stand import chart_through, registry_in


def test_the_chart_out_of_a_registry_installs_and_answers(namespace, app_image, tmp_path):
    with registry_in(tmp_path) as address:
        _, pulled = chart_through(address, tmp_path)
    helm = Helm3(namespace.name, str(pulled))
    helm.install("app", {"image": image_values(app_image), "config": {"ini": INI}})
    helm.test("app")
