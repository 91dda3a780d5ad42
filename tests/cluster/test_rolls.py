"""Pods that change under constant load lose nothing; tests/soak/cluster_rolls.py does it longer."""

from __future__ import annotations

from cluster_rolls import ByChart

ENOUGH = 200


def test_nothing_is_lost_while_pods_change(namespace, app_image):
    app = ByChart(namespace, app_image)
    with app.load() as load:
        load.wait_for(ENOUGH)
        for change in (app.upgrade, app.roll_back, app.delete_a_pod, app.change_the_config):
            change()
            load.wait_for(ENOUGH)
    assert not load.failures, load.account()


def test_nothing_is_lost_while_an_ini_is_loaded_in_place(namespace, app_image):
    app = ByChart(namespace, app_image, "reload")
    with app.load() as load:
        load.wait_for(ENOUGH)
        app.change_in_place()
        load.wait_for(ENOUGH)
    assert not load.failures, load.account()
