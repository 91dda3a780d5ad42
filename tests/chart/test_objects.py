"""What each value does to the objects: facts about them, not copies of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chart_render import CHART, Values, container, env_of, render, with_ini

from pastebox.errors import ConfigError
from pastebox.settings import resolve, unknown_names

pytestmark = pytest.mark.chart
CI = CHART / "ci"


def test_a_deployment_keeps_every_pod_until_another_one_is_ready():
    spec = render(with_ini()).workload["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert spec["minReadySeconds"] == 2


def test_a_volume_for_each_replica_makes_a_stateful_set():
    objects = render(CI / "per-replica.yaml")
    spec = objects.one("StatefulSet")["spec"]
    assert not objects.all("Deployment")
    assert spec["podManagementPolicy"] == "Parallel"
    assert objects.one("Service", "-headless")["metadata"]["name"] == spec["serviceName"]
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"


def test_min_ready_seconds_of_a_stateful_set_came_later():
    values = Path(CI / "per-replica.yaml")
    assert "minReadySeconds" not in render(values, kube="1.21").workload["spec"]
    assert render(values, kube="1.22").workload["spec"]["minReadySeconds"] == 2


def test_a_shared_volume_is_for_many_and_stays():
    objects = render(CI / "shared.yaml")
    claim = objects.one("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_a_volume_of_one_node_is_given_up_before_it_is_taken():
    objects = render(CI / "shared-one-node.yaml")
    assert objects.workload["spec"]["strategy"] == {"type": "Recreate"}
    assert "annotations" not in objects.one("PersistentVolumeClaim")["metadata"]


@pytest.mark.parametrize(
    ("file", "lock", "setup"),
    [
        pytest.param("minimal", "lease", "auto", id="leader"),
        pytest.param("per-replica", "lease", "auto", id="per-replica"),
        pytest.param("shared", "lease", "auto", id="shared"),
        pytest.param("single-sqlite", "file", "auto", id="one-with-a-volume"),
        pytest.param("job", "none", "never", id="job"),
        pytest.param("job-without-hooks", "lease", "wait", id="job-without-hooks"),
        pytest.param("init-container", "lease", "never", id="init-container"),
        pytest.param("no-setup", "none", "never", id="none"),
        pytest.param("lock-postgresql", "postgresql", "auto", id="postgresql"),
    ],
)
def test_the_lock_and_the_setup_of_the_pods(file: str, lock: str, setup: str):
    objects = render(CI / f"{file}.yaml")
    assert (objects.env["PASTEBOX_LOCK"], objects.env["PASTEBOX_SETUP"]) == (lock, setup)
    is_lease = lock == "lease"
    assert len(objects.all("Lease")) == len(objects.all("Role")) == is_lease
    assert "PASTEBOX_MODE" not in objects.env
    if is_lease:
        assert objects.one("Lease")["metadata"]["name"] == objects.env["PASTEBOX_LOCK_NAME"]
    if lock == "postgresql":
        assert objects.env["PASTEBOX_LOCK_NAME"] == objects.workload["metadata"]["name"]


def test_the_role_lets_the_pods_use_their_own_lease_only():
    rules = render(with_ini()).one("Role")["rules"]
    for rule in rules:
        assert (rule["apiGroups"], rule["resources"]) == (["coordination.k8s.io"], ["leases"])
    named = {verb for rule in rules for verb in rule["verbs"] if "resourceNames" in rule}
    unnamed = {verb for rule in rules for verb in rule["verbs"] if "resourceNames" not in rule}
    assert named == {"get", "update"}
    assert unnamed == {"create"}


def test_a_job_that_is_a_hook_cleans_up():
    annotations = render(CI / "job.yaml").one("Job")["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"


def test_a_job_that_is_none_has_a_new_name_for_every_content():
    """The specification of a Job cannot be changed, and Helm removes the one before."""

    def name(**more: object) -> str:
        values = with_ini({"setup": {"mode": "job", "useHooks": False}, **more})
        return render(values).one("Job")["metadata"]["name"]

    assert name() == name()
    others = {name(image={"tag": "2"}), name(env={"A": "b"}), name(config={"ini": "[app:main]\n"})}
    assert len({name(), *others}) == 4


def test_who_sets_up_runs_setup_and_nothing_else():
    for file, of in (("job", "Job"), ("init-container", "Deployment")):
        pod = render(CI / f"{file}.yaml").one(of)["spec"]["template"]["spec"]
        setup = container(pod, "setup")
        assert setup["args"] == ["setup"]
        assert "ports" not in setup
        assert "startupProbe" not in setup


@pytest.mark.parametrize("path", sorted(CI.glob("*.yaml")), ids=lambda path: path.stem)
def test_pastebox_takes_the_settings_of_every_container(path: Path):
    for pod in render(path).pods():
        for one in [*pod["containers"], *pod.get("initContainers", ())]:
            if one["args"][0] in ("serve", "setup") if "args" in one else False:
                resolve({}, env_of(one))
                assert list(unknown_names(env_of(one))) == []


def test_a_wrong_setting_would_be_seen():
    with pytest.raises(ConfigError):
        resolve({}, {"PASTEBOX_LOCK": "paper"})


def test_probes_ask_the_health_port():
    app = render(CI / "settings.yaml").app
    for probe, page in (("startup", "startupz"), ("liveness", "livez"), ("readiness", "readyz")):
        assert app[f"{probe}Probe"]["httpGet"] == {"path": f"/{page}", "port": "health"}
    assert {"name": "health", "containerPort": 9091, "protocol": "TCP"} in app["ports"]
    assert env_of(app)["PASTEBOX_HEALTH_PORT"] == "9091"
    assert env_of(app)["PASTEBOX_HEALTH_HOST"] == "0.0.0.0"


def test_a_loopback_address_in_the_ini_does_no_harm():
    assert render(with_ini()).env["PASTEBOX_HOST"] == "0.0.0.0"


def test_the_settings_reach_the_process():
    env = render(CI / "settings.yaml").env
    assert env["PASTEBOX_WORKERS"] == "4"
    assert env["PASTEBOX_SERVER"] == "gunicorn"
    assert env["PASTEBOX_READY_PATH"] == "/ready"
    assert env["PASTEBOX_LOG_FORMAT"] == "json"
    assert env["PASTEBOX_WORKER_RESTARTS"] == "7"
    assert env["DB_HOST"] == "wiki-postgresql"


def test_a_pod_to_look_around_in_is_alive_and_never_ready():
    app = render(CI / "diagnostic.yaml").app
    assert env_of(app)["PASTEBOX_MODE"] == "sleep"
    assert "livenessProbe" not in app
    assert "startupProbe" not in app
    assert "readinessProbe" in app


def test_an_autoscaler_decides_alone():
    objects = render(CI / "hpa.yaml")
    assert "replicas" not in objects.workload["spec"]
    spec = objects.one("HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"]["name"] == objects.workload["metadata"]["name"]
    assert spec["scaleTargetRef"]["kind"] == "Deployment"
    assert [metric["type"] for metric in spec["metrics"]] == ["Resource", "Resource", "Pods"]
    assert "replicas" not in render(CI / "keda.yaml").workload["spec"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, {"maxUnavailable": 1}, id="default"),
        pytest.param({"replicas": 1}, None, id="one"),
        pytest.param({"pdb": {"minAvailable": "50%"}}, {"minAvailable": "50%"}, id="percent"),
        pytest.param({"pdb": {"minAvailable": 1}}, {"minAvailable": 1}, id="number"),
        pytest.param({"pdb": {"enabled": False}}, None, id="off"),
        pytest.param(
            {"autoscaling": {"enabled": True, "minReplicas": 1}}, None, id="autoscaled-from-one"
        ),
    ],
)
def test_a_budget_is_for_more_than_one(values: Values, expected: dict | None):
    found = render(with_ini(values)).all("PodDisruptionBudget")
    assert bool(found) == (expected is not None)
    if expected:
        assert expected.items() <= found[0]["spec"].items()


def test_openshift_chooses_user_and_groups():
    context = render(CI / "openshift.yaml").pod["securityContext"]
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(context)
    assert context["runAsNonRoot"] is True
    asked = render(with_ini(), "--api-versions", "security.openshift.io/v1")
    assert "runAsUser" not in asked.pod["securityContext"]
    assert render(with_ini()).pod["securityContext"]["runAsUser"] == 10001


def test_an_older_gateway_api_is_used_where_there_is_no_other():
    beta = "gateway.networking.k8s.io/v1beta1"
    path = CI / "http-route.yaml"
    assert render(path, "--api-versions", beta).one("HTTPRoute")["apiVersion"] == beta
    assert render(path).one("HTTPRoute")["apiVersion"] == "gateway.networking.k8s.io/v1"


def test_an_ingress_is_a_template_and_leads_to_the_service():
    spec = render(CI / "ingress.yaml").one("Ingress")["spec"]
    assert spec["ingressClassName"] == "nginx"
    assert spec["tls"] == [{"hosts": ["wiki.example.com"], "secretName": "wiki-tls"}]
    (rule,) = spec["rules"]
    assert rule["host"] == "wiki.example.com"
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == "wiki-pastebox"


def test_nginx_and_the_application_share_one_socket():
    objects = render(CI / "fastcgi.yaml")
    conf = objects.one("ConfigMap", "-frontend")["data"]["nginx.conf"]
    path = objects.env["PASTEBOX_HOST"].removeprefix("unix:")
    assert f"server unix:{path} " in conf
    assert objects.env["PASTEBOX_SERVER"] == "flup_fcgi_thread"
    assert "PASTEBOX_PORT" not in objects.env
    nginx = container(objects.pod, "frontend")
    for one in (objects.app, nginx):
        assert {"name": "frontend", "mountPath": "/run/pastebox-frontend"} in one["volumeMounts"]
    assert "location /static/ { alias /srv/static/0/; }" in conf
    assert container(objects.pod, "copy-static")["args"][-1] == "/opt/pastebox/static"


def test_nginx_speaks_what_it_is_told_to():
    objects = render(CI / "scgi.yaml")
    assert objects.env["PASTEBOX_SERVER"] == "flup_scgi_thread"
    assert "scgi_pass application;" in objects.one("ConfigMap", "-frontend")["data"]["nginx.conf"]


def test_the_test_asks_through_the_services():
    objects = render(with_ini({"tests": {"path": "/wiki"}, "service": {"port": 81}}))
    pod = objects.one("Pod", "-test")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    urls = {one["name"]: one["args"][-1] for one in pod["spec"]["containers"]}
    assert urls == {
        "health": "http://wiki-pastebox-health:9090/readyz",
        "page": "http://wiki-pastebox:81/wiki",
    }
    chosen = objects.one("Service", "wiki-pastebox")["spec"]["selector"]
    assert not chosen.items() <= pod["metadata"]["labels"].items()


def test_a_network_policy_lets_in_what_is_named_and_its_own_test():
    spec = render(CI / "network-policy.yaml").one("NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    http, health = spec["ingress"]
    assert http["ports"][0]["port"] == "http"
    assert health["ports"][0]["port"] == "health"
    assert len(http["from"]) == len(health["from"]) == 2
    assert any(rule.get("ports", [{}])[0].get("port") == 443 for rule in spec["egress"])


def test_everything_extra_is_a_template():
    objects = render(CI / "extras.yaml")
    template = objects.workload["spec"]["template"]["metadata"]
    assert template["annotations"]["note"] == "wiki is here"
    assert template["labels"]["tier"] == "front"
    assert objects.app["envFrom"] == [{"secretRef": {"name": "wiki-more"}}]
    assert {one["name"] for one in objects.pod["containers"]} == {"app", "beside"}
    names = {item["metadata"]["name"] for item in objects.all("ConfigMap")}
    assert names == {"wiki-mine", "wiki-pastebox-text"}
    for item in objects.items:
        if item["kind"] != "ConfigMap":
            assert item["metadata"]["labels"]["team"] == "web"


def test_a_digest_wins_over_a_tag():
    image = {"repository": "r/wiki", "tag": "1", "digest": "sha256:" + "a" * 64}
    assert render(with_ini({"image": image})).app["image"] == f"r/wiki@{image['digest']}"
    assert render(with_ini()).app["image"].startswith("pastebox:")


def test_pods_are_spread_where_there_are_several():
    spread = render(with_ini()).pod["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert all(one["whenUnsatisfiable"] == "ScheduleAnyway" for one in spread)
    assert "topologySpreadConstraints" not in render(with_ini({"replicas": 1})).pod


def test_the_dashboard_is_whole():
    data = render(CI / "monitoring.yaml").one("ConfigMap", "-dashboard")["data"]
    assert json.loads(data["wiki-pastebox.json"])["title"] == "pastebox"


def test_the_monitor_finds_one_service_of_the_release():
    objects = render(CI / "monitoring.yaml")
    spec = objects.one("ServiceMonitor")["spec"]
    port = spec["endpoints"][0]["port"]
    with_port = [
        service["metadata"]["name"]
        for service in objects.all("Service")
        if any(one["name"] == port for one in service["spec"]["ports"])
    ]
    assert with_port == ["wiki-pastebox-health"]
    rules = objects.one("PrometheusRule")["spec"]["groups"][0]["rules"]
    assert all("wiki-pastebox-health" in rule["expr"] for rule in rules if rule["alert"] != "Mine")


def test_the_health_port_is_in_no_service_that_the_world_sees():
    objects = render(CI / "http-route.yaml")
    outside = [s for s in objects.all("Service") if s["spec"]["type"] == "LoadBalancer"]
    assert [port["name"] for service in outside for port in service["spec"]["ports"]] == ["http"]
