"""Several INIs in each pod: their files, addresses, leases and ways in."""

from __future__ import annotations

from pathlib import Path

import pytest
from chart_render import CHART, INI, ROOT, Objects, Values, decoded, env_of, refusal, render

pytestmark = pytest.mark.chart
EXAMPLE = ROOT / "helm/examples/instances.yaml"
CI = CHART / "ci/instances.yaml"
NAMES = ["blog", "docs", "news", "shop", "team"]


def with_port(number: int) -> str:
    return f"{INI}port = {number}\n"


def two(**more: object) -> Values:
    return {"instances": {"a": {"ini": with_port(8081)}, "b": {"ini": with_port(8082)}}, **more}


def files_of(objects: Objects) -> dict[str, str]:
    """The files of the configuration's volume: path to key."""
    (volume,) = (v for v in objects.pod["volumes"] if v["name"] == "config")
    (source,) = volume["projected"]["sources"]
    return {item["path"]: item["key"] for item in source["secret"]["items"]}


def test_each_ini_is_a_file_where_daemon_mode_looks():
    objects = render(EXAMPLE)
    files = files_of(objects)
    assert list(files) == [f"instances/{name}.ini" for name in NAMES]
    assert set(files.values()) == set(decoded(objects.one("Secret", "-config")))
    mounts = {m["name"]: m for m in objects.app["volumeMounts"]}
    directory = f"{mounts['config']['mountPath']}/instances"
    assert objects.env["PASTEBOX_INSTANCES_DIR"] == directory
    assert objects.env["PASTEBOX_MODE"] == "daemon"
    assert "PASTEBOX_PORT" not in objects.env


def test_sections_and_overlays_are_files_as_well():
    objects = render(CI)
    assert list(files_of(objects)) == [
        "instances/blog.ini",
        "instances/shop.ini",
        "conf.d/10-title.ini",
    ]
    shop = decoded(objects.one("Secret", "-config"))["instance.shop.ini"]
    assert shop.endswith("[server:main]\nlisten = *:8082\nuse = egg:waitress#main\n")


def test_each_has_a_port_of_the_service():
    objects = render(EXAMPLE)
    ports = {
        port["name"]: (port["port"], port["targetPort"])
        for port in objects.one("Service", "wiki-pastebox")["spec"]["ports"]
    }
    assert ports == {name: (8081 + n, 8081 + n) for n, name in enumerate(NAMES)}
    opened = {port["containerPort"] for port in objects.app["ports"]}
    assert opened == {9090, *range(8081, 8086)}


def test_each_has_hosts_of_the_ingress():
    rules = render(CI).one("Ingress")["spec"]["rules"]
    found = {
        rule["host"]: rule["http"]["paths"][0]["backend"]["service"]["port"]["number"]
        for rule in rules
    }
    assert found == {
        "blog.wiki.example.com": 8081,
        "shop.example.com": 8082,
        "www.shop.example.com": 8082,
    }


def test_each_has_a_route_of_its_own():
    routes = render(CHART / "ci/instances-routes.yaml").all("HTTPRoute")
    found = {
        route["metadata"]["name"]: (
            route["spec"]["hostnames"],
            route["spec"]["rules"][0]["backendRefs"][0]["port"],
        )
        for route in routes
    }
    assert found == {
        "wiki-pastebox-a": (["a.example.com"], 8081),
        "wiki-pastebox-b": (["b.example.com"], 8082),
    }


def test_each_has_a_lease_and_the_right_to_it():
    objects = render(EXAMPLE)
    expected = [f"wiki-pastebox-{name}" for name in NAMES]
    assert [one["metadata"]["name"] for one in objects.all("Lease")] == expected
    named = [r for r in objects.one("Role")["rules"] if "resourceNames" in r]
    assert named[0]["resourceNames"] == expected
    assert objects.env["PASTEBOX_LOCK_NAME"] == "wiki-pastebox"


def test_the_policy_and_the_test_know_all_ports():
    objects = render(CI)
    ports = objects.one("NetworkPolicy")["spec"]["ingress"][0]["ports"]
    assert [port["port"] for port in ports] == [8081, 8082]
    pod = objects.one("Pod", "-test")["spec"]
    assert {one["name"]: one["args"][-1] for one in pod["containers"]} == {
        "health": "http://wiki-pastebox-health:9090/readyz",
        "page-blog": "http://wiki-pastebox:8081/",
        "page-shop": "http://wiki-pastebox:8082/",
    }


def test_a_changed_instance_makes_a_new_pod():
    def checksum(values: Values) -> str:
        metadata = render(values).workload["spec"]["template"]["metadata"]
        return metadata["annotations"]["checksum/config"]

    changed = {"instances": {**two()["instances"], "c": {"ini": with_port(8083)}}}
    assert checksum(two()) == checksum(two())
    assert checksum(two()) != checksum(changed)


def test_what_is_loaded_in_place_is_what_the_instances_say():
    """Which there are, and on which ports, is a part of the pod."""

    def pod_of(**ports: int) -> object:
        instances = {name: {"ini": f"{INI}port = {port}\n"} for name, port in ports.items()}
        return render({"instances": instances, **reloads}).workload

    reloads = {"config": {"onChange": "reload"}}
    same = {n: {"ini": with_port(p) + "x = 1\n"} for n, p in (("a", 8081), ("b", 8082))}
    pod = pod_of(a=8081, b=8082)
    assert render({"instances": same, **reloads}).workload == pod
    for other in ({"a": 8081}, {"a": 8081, "b": 8083}, {"a": 8081, "b": 8082, "c": 8083}):
        assert pod_of(**other) != pod


def test_a_pod_to_look_around_in_serves_none():
    assert render(two(diagnosticMode={"enabled": True})).env["PASTEBOX_MODE"] == "sleep"


def test_the_port_is_that_of_the_ini():
    """The setting in [pastebox] wins, as it does in pastebox; a comment is none."""
    texts = {
        "[server:main]\nport=8081\n": 8081,
        "[server:main]\nport : 8081\n[server:other]\nport = 9\n": 8081,
        "[server:main]\r\nport = 8081\r\n": 8081,
        "[server:main]\nport = 9\n[pastebox]\nport = 8081\n": 8081,
        "[pastebox]\nport = 8081\n[server:main]\nport = 9\n": 8081,
        "[app:main]\nport = 9\n[server:main]\nuse = egg:a\nport = 8081": 8081,
    }
    for text, port in texts.items():
        objects = render({"instances": {"a": {"ini": text}}})
        assert objects.app["ports"][0]["containerPort"] == port, text


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param(
            {"config": {"ini": INI}, **two()}, "config.ini and instances are given", id="both"
        ),
        pytest.param({"instances": {"a": {}}}, "instances.a has no configuration", id="none"),
        pytest.param(
            {"instances": {"a": {"ini": INI, "sections": {"a": {}}}}},
            "instances.a: ini and sections are given together",
            id="two-forms",
        ),
        pytest.param(
            {"instances": {"a": {"ini": "a.ini"}}}, "is it the name of a file?", id="file-name"
        ),
        pytest.param(
            {"instances": {"a": {"sections": {"s": {"b": 1}}, "port": 1}}},
            "instances.a.sections: [s] b: found 1, expected text",
            id="number",
        ),
        pytest.param({"instances": {"a": {"ini": INI}}}, "instances.a has no port", id="no-port"),
        pytest.param(
            {"instances": {"a": {"ini": "[server:main]\n# port = 8081\n"}}},
            "instances.a has no port",
            id="port-in-a-comment",
        ),
        pytest.param(
            {"instances": {"a": {"ini": with_port(8081), "port": 8082}}},
            "instances.a.port: 8082 is given, and its INI listens on 8081",
            id="two-ports",
        ),
        pytest.param(
            {"instances": {n: {"ini": with_port(8081)} for n in "ab"}},
            "instances.b has the port 8081, and so has instances.a",
            id="one-port",
        ),
        pytest.param(
            {"instances": {"a": {"ini": with_port(9090)}}},
            "instances.a has the port 9090, and so has health.port",
            id="health-port",
        ),
        pytest.param(
            {"instances": {"a": {"ini": f"{with_port(81)}[pastebox]\nhost = 127.0.0.1\n"}}},
            "instances.a: [pastebox] host is loopback",
            id="loopback",
        ),
        pytest.param(two(ingress={"enabled": True}), "instances.a has no hosts", id="hosts"),
        pytest.param(
            two(httpRoute={"enabled": True, "parentRefs": [{"name": "a"}]}),
            "httpRoute.enabled: instances.a has no hosts",
            id="route-hosts",
        ),
        pytest.param(two(ingress={"hosts": ["a"]}), "ingress.hosts with instances", id="ingress"),
        pytest.param(
            two(httpRoute={"hostnames": ["a"]}), "httpRoute.hostnames with instances", id="route"
        ),
        pytest.param(
            two(frontend={"enabled": True}), "frontend.enabled with instances", id="frontend"
        ),
        pytest.param(two(setup={"mode": "job"}), "setup.mode: job with instances", id="job"),
        pytest.param(
            two(service={"type": "NodePort", "nodePort": 30000}),
            "service.nodePort: 30000 with instances",
            id="node-port",
        ),
        pytest.param(
            {"instances": {"a": {"ini": with_port(81) + "url = sqlite:////data/a.db\n"}}},
            "replicas: 2 with SQLite",
            id="sqlite",
        ),
        pytest.param({"instances": {"A_b": {"ini": with_port(81)}}}, "A_b", id="name"),
        pytest.param({"instances": {"all": {"ini": with_port(81)}}}, "all", id="reserved"),
    ],
)
def test_it_is_refused(values: Values, sentence: str):
    assert sentence in refusal(values)


def test_an_ini_comes_by_set_file(tmp_path: Path):
    """``--set-file instances.NAME.ini`` as the examples say it."""
    path = tmp_path / "a.ini"
    path.write_text(with_port(8081))
    objects = render({}, "--set-file", f"instances.a.ini={path}")
    assert decoded(objects.one("Secret", "-config")) == {"instance.a.ini": with_port(8081)}
    assert env_of(objects.app)["PASTEBOX_HOST"] == "0.0.0.0"
