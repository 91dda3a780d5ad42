"""What cannot work is refused, with a sentence that names the value; what is doubtful is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from chart_render import CHART, INI, Values, refusal, render, with_ini

pytestmark = pytest.mark.chart
SQLITE = INI.replace("[server", "sqlalchemy.url = sqlite:////data/wiki.db\n[server")
HPA = {"enabled": True}
SHARED = {"mode": "shared"}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param({}, "there is no configuration: give config.ini", id="no-config"),
        pytest.param(
            {"config": {"ini": INI, "sections": {"app:main": {"use": "egg:a"}}}},
            "config.ini and config.sections are given together, expected one of them",
            id="ini-and-sections",
        ),
        pytest.param(
            {"config": {"ini": INI, "existingSecret": "a"}},
            "config.ini and config.existingSecret are given together",
            id="ini-and-secret",
        ),
        pytest.param({"config": {"ini": "app.ini"}}, "is it the name of a file?", id="file-name"),
        pytest.param(
            {"config": {"sections": {"server:main": {"port": 8080}}}},
            '[server:main] port: found 8080, expected text: write "8080", in quotes',
            id="number",
        ),
        pytest.param(
            {"config": {"sections": {"app:main": {"debug": True}}}},
            '[app:main] debug: found true, expected text: write "true"',
            id="boolean",
        ),
        pytest.param(
            {"config": {"sections": {"app:main": {"a": {"b": "c"}}}}},
            '[app:main] a: found {"b":"c"}, expected text',
            id="map",
        ),
        pytest.param(
            {"config": {"sections": {"app:main": {"a": ["b", 1]}}}},
            "[app:main] a: found 1 in the list, expected text",
            id="list-of-numbers",
        ),
        pytest.param(
            {"config": {"sections": {"app:main": {"a": "b\n# c"}}}},
            '[app:main] a: the line "# c" would be a comment in an INI',
            id="comment",
        ),
        pytest.param(
            {"config": {"sections": {"app:main": {"a=b": "c"}}}},
            "[app:main] a=b: this cannot be the name of an option",
            id="option-name",
        ),
        pytest.param(
            {"config": {"sections": {"app]main": {"a": "c"}}}},
            '"app]main" cannot be the name of a section',
            id="section-name",
        ),
        pytest.param(
            {"config": {"sections": {"app:main": "use = egg:a"}}},
            '[app:main]: found "use = egg:a", expected a map',
            id="section-text",
        ),
        pytest.param(
            {"config": {"sections": [{"app:main": {"a": "b"}, "c": {}}]}},
            "expected a map of one key",
            id="two-keys",
        ),
        pytest.param(
            with_ini({"env": {"PASTEBOX_PORT": "81"}}),
            "env: PASTEBOX_PORT is a setting: give settings.port",
            id="setting-in-env",
        ),
        pytest.param(
            with_ini({"replicas": 2, "autoscaling": HPA}),
            "replicas: 2 is given beside autoscaling.enabled",
            id="replicas-and-hpa",
        ),
        pytest.param(
            with_ini({"autoscaling": {**HPA, "minReplicas": 5, "maxReplicas": 4}}),
            "autoscaling.minReplicas: 5 is more than autoscaling.maxReplicas: 4",
            id="min-over-max",
        ),
        pytest.param(
            with_ini({"autoscaling": {**HPA, "targetCPU": None}}),
            "autoscaling has nothing to go by",
            id="hpa-without-metric",
        ),
        pytest.param(
            with_ini({"autoscaling": {**HPA, "minReplicas": 0}}),
            "autoscaling.minReplicas: 0 needs autoscaling.kind: keda",
            id="hpa-to-zero",
        ),
        pytest.param(
            with_ini({"autoscaling": {**HPA, "kind": "keda"}}),
            "give autoscaling.triggers",
            id="keda-without-trigger",
        ),
        pytest.param(
            {"config": {"ini": SQLITE}},
            "replicas: 2 with SQLite: each pod would have a database of its own",
            id="sqlite",
        ),
        pytest.param(
            {"config": {"ini": SQLITE}, "autoscaling": HPA},
            "autoscaling with SQLite",
            id="sqlite-and-hpa",
        ),
        pytest.param(
            with_ini({"persistence": {**SHARED, "accessModes": ["ReadWriteOnce"]}}),
            "with persistence.mode: shared and persistence.accessModes: [ReadWriteOnce]",
            id="read-write-once",
        ),
        pytest.param(
            with_ini({"setup": {"lock": "file"}}),
            "setup.lock: file with replicas: 2: the pods share no volume",
            id="file-lock",
        ),
        pytest.param(
            with_ini({"setup": {"lock": "none"}}),
            "setup.lock: none with replicas: 2 and setup.mode: leader",
            id="no-lock",
        ),
        pytest.param(
            {"config": {"fromImage": True}},
            "config.fromImage in several pods needs a secret that they share: without a cluster",
            id="made-ini",
        ),
        pytest.param(
            {"config": {"fromImage": True}, "setup": {"mode": "job"}},
            "setup.mode: job with config.fromImage",
            id="ini-made-by-a-job",
        ),
        pytest.param(
            with_ini({"pdb": {"minAvailable": 2}}),
            "pdb.minAvailable: 2 with replicas: 2: no pod could ever be moved",
            id="pdb-of-all",
        ),
        pytest.param(
            with_ini({"replicas": 1, "pdb": {"minAvailable": 1}}),
            "pdb.minAvailable: 1 with replicas: 1",
            id="pdb-of-one",
        ),
        pytest.param(
            with_ini({"pdb": {"minAvailable": "100%"}}), "pdb.minAvailable: 100%", id="pdb-100"
        ),
        pytest.param(
            with_ini({"pdb": {"maxUnavailable": 0}}), "pdb.maxUnavailable: 0", id="pdb-none"
        ),
        pytest.param(
            with_ini({"ingress": {"enabled": True}, "httpRoute": {"enabled": True}}),
            "ingress.enabled and httpRoute.enabled are given together",
            id="ingress-and-route",
        ),
        pytest.param(
            with_ini({"httpRoute": {"enabled": True}}),
            "needs httpRoute.parentRefs",
            id="no-gateway",
        ),
        pytest.param(
            with_ini({"ingress": {"enabled": True}, "server": {"protocol": "fcgi"}}),
            "server.protocol: fcgi behind an Ingress",
            id="ingress-to-fcgi",
        ),
        pytest.param(
            with_ini({"server": {"port": 9090}}),
            "server.port and health.port are both 9090",
            id="one-port",
        ),
        pytest.param(
            with_ini({"terminationGracePeriodSeconds": 29}),
            "29 is less than the 30 s that drain.delay: 5s and drain.timeout: 20s need",
            id="grace",
        ),
        pytest.param(
            with_ini({"frontend": {"enabled": True}, "server": {"runner": "waitress"}}),
            "server.runner: waitress does not speak frontend.protocol: fastcgi",
            id="frontend-runner",
        ),
        pytest.param(
            with_ini({"secrets": {"generate": ["a"]}}),
            "secrets.generate: [a] without a cluster to keep it in",
            id="chance-without-cluster",
        ),
        pytest.param(
            with_ini({"secrets": {"generate": ["a"], "values": {"a": "b"}}}),
            "secrets.generate and secrets.values both have a",
            id="generated-and-given",
        ),
        pytest.param(
            with_ini({"setup": {"mode": "job"}, "persistence": SHARED}),
            "the Job comes before the claim",
            id="hook-before-claim",
        ),
        pytest.param(
            with_ini({"setup": {"mode": "job", "useHooks": False, "lock": "none"}}),
            "the pods could not see that the Job is done",
            id="job-unseen",
        ),
        pytest.param(
            with_ini({"setup": {"mode": "job"}, "persistence": {"mode": "perReplica"}}),
            "the Job sees none of the volumes",
            id="job-per-replica",
        ),
    ],
)
def test_it_is_refused(values: Values, sentence: str):
    assert sentence in refusal(values)


def test_prestop_sleep_needs_a_kubernetes_that_has_it():
    values = with_ini({"drain": {"method": "preStop"}})
    assert "drain.method: preStop needs Kubernetes 1.30, this is v1.29" in refusal(
        values, kube="1.29"
    )
    render(values, kube="1.30")


@pytest.mark.parametrize(
    ("values", "risk"),
    [
        pytest.param({"config": {"ini": SQLITE}}, "sqlite", id="sqlite"),
        pytest.param(with_ini({"setup": {"lock": "none"}}), "lock", id="lock"),
        pytest.param(with_ini({"pdb": {"minAvailable": 2}}), "pdb", id="pdb"),
    ],
)
def test_a_risk_can_be_taken(values: Values, risk: str):
    render({**values, "acceptRisks": [risk]})


SCHEMA_CASES = [
    pytest.param({"replica": 2}, "replica", id="unknown"),
    pytest.param({"image": {"name": "a"}}, "name", id="unknown-in-group"),
    pytest.param({"settings": {"log_formt": "json"}}, "log_formt", id="unknown-setting"),
    pytest.param({"settings": {"drain_delay": "5s"}}, "drain_delay", id="setting-with-a-value"),
    pytest.param({"settings": {"log_format": "xml"}}, "log_format", id="choice"),
    pytest.param({"setup": {"mode": "leaders"}}, "mode", id="mode"),
    pytest.param({"setup": {"lock": "redis"}}, "lock", id="lock"),
    pytest.param({"drain": {"timeout": "20 s"}}, "timeout", id="duration"),
    pytest.param({"drain": {"delay": -1}}, "delay", id="negative"),
    pytest.param({"replicas": "2"}, "replicas", id="text-for-number"),
    pytest.param({"replicas": -1}, "replicas", id="too-few"),
    pytest.param({"workers": 513}, "workers", id="too-many-workers"),
    pytest.param({"workers": "some"}, "workers", id="workers"),
    pytest.param({"reload": "inotify"}, "reload", id="reload"),
    pytest.param({"config": {"ini": INI, "onChange": "restart"}}, "onChange", id="on-change"),
    pytest.param({"settings": {"on_config_change": "exit"}}, "on_config_change", id="chart-says"),
    pytest.param({"instances": {"a": {"inis": ""}}}, "inis", id="unknown-of-instance"),
    pytest.param({"instances": {"a": "[app:main]"}}, "instances", id="instance-text"),
    pytest.param({"server": {"port": 65536}}, "port", id="port"),
    pytest.param({"server": {"port": "8080"}}, "port", id="port-as-text"),
    pytest.param({"image": {"digest": "sha256:12"}}, "digest", id="digest"),
    pytest.param({"env": {"A-B": "c"}}, "A-B", id="variable-name"),
    pytest.param({"env": {"A": 1}}, "A", id="variable-number"),
    pytest.param({"config": {"ini": INI, "overlays": {"a.conf": ""}}}, "a.conf", id="overlay"),
    pytest.param({"secrets": {"values": {"a/b": "c"}}}, "a/b", id="secret-name"),
    pytest.param({"secrets": {"existing": [{"nameX": "a"}]}}, "nameX", id="secret-ref"),
    pytest.param({"secrets": {"seed": "short"}}, "seed", id="seed"),
    pytest.param({"fullnameOverride": "n" * 49}, "fullnameOverride", id="long-name"),
    pytest.param({"fullnameOverride": "Wiki"}, "fullnameOverride", id="bad-name"),
    pytest.param({"probes": {"liveness": {"path": "/"}}}, "path", id="probe"),
    pytest.param({"persistence": {"accessModes": ["ReadOnlyMany"]}}, "accessModes", id="mode-ro"),
    pytest.param({"ingress": {"path": "wiki"}}, "path", id="path"),
    pytest.param({"frontend": {"static": [{"url": "static"}]}}, "static", id="static"),
    pytest.param({"acceptRisks": ["all"]}, "acceptRisks", id="risk"),
]


@pytest.mark.parametrize(("values", "name"), SCHEMA_CASES)
def test_the_schema_refuses_it_and_names_the_value(values: Values, name: str):
    told = refusal(with_ini(values))
    assert "values don't meet the specifications of the schema" in told
    assert name in told


def test_helm_4_refuses_the_same():
    helm4 = pytest.importorskip("helm_python")
    with helm4.Chart.load(str(CHART)) as chart:
        for case in SCHEMA_CASES:
            with pytest.raises(helm4.HelmError, match=case.values[1]):
                chart.validate_schema(with_ini(case.values[0]))


DOUBTFUL = [
    pytest.param({"image": {"tag": "latest"}}, "image.tag: latest moves", id="tag"),
    pytest.param({}, "resources.limits.memory is not set", id="memory"),
    pytest.param({"secrets": {"values": {"a": "b"}}}, "secrets.values are kept", id="secrets"),
    pytest.param({"diagnosticMode": {"enabled": True}}, "serve nothing", id="diagnostic"),
    pytest.param({"replicas": 1}, "replicas: 1: when its node goes", id="one"),
    pytest.param(
        {"config": {"ini": INI + "host = 127.0.0.1\n"}}, "the INI binds to loopback", id="loopback"
    ),
    pytest.param({"config": {"ini": INI + "debug = true\n"}}, "debug = true", id="debug"),
    pytest.param({"rbac": {"create": False}}, "must be let get, create and update", id="rbac"),
    pytest.param({"serviceAccount": {"create": False}}, "default account gets", id="account"),
    pytest.param({"config": {"existingSecret": "s"}}, "a change of it replaces no pod", id="seen"),
    pytest.param({"serviceMonitor": {"enabled": True}}, "does not know monitoring", id="monitor"),
    pytest.param({"reload": "auto"}, "reload: auto is for development", id="reload"),
    pytest.param({"drain": {"timeout": "1h"}}, "may take 3610 s to stop", id="long-stop"),
    pytest.param({"acceptRisks": ["lock"]}, "acceptRisks: [lock]", id="risk"),
    pytest.param(
        {"replicas": 1, "persistence": {**SHARED, "accessModes": ["ReadWriteOnce"]}},
        "an upgrade stops the old pod before",
        id="recreate",
    ),
    pytest.param({"replicas": 1, "config": {"ini": SQLITE}}, "ends with its pod", id="lost-data"),
    pytest.param(
        {"autoscaling": HPA, "resources": None}, "targetCPU is a share of", id="hpa-request"
    ),
]


@pytest.mark.parametrize(("values", "words"), DOUBTFUL)
def test_the_notes_tell_it(values: Values, words: str, notes: Path):
    """Without a cluster Helm shows no notes: a copy of the chart has them in an object."""
    shown = render(with_ini(values), chart=notes).one("Shown")
    told = json.loads(shown["warnings"])
    assert any(words in line for line in told), told
    assert words in shown["notes"]


def test_the_notes_say_where_and_how_to_look(notes: Path):
    def said(values: Values) -> str:
        return render(with_ini(values), chart=notes).one("Shown")["notes"]

    assert "kubectl -n apps port-forward service/wiki-pastebox 8080:80" in said({})
    assert "exec deployment/wiki-pastebox -c app -- pastebox health --json" in said({})
    hosts = {"enabled": True, "hosts": ["{{ .Release.Name }}.example.com"], "path": "/w"}
    assert "http://wiki.example.com/w" in said({"ingress": hosts})
    assert "https://wiki.example.com/w" in said({"ingress": {**hosts, "tls": [{"hosts": []}]}})


def test_the_notes_doubt_nothing_where_nothing_is_doubtful(notes: Path):
    values = with_ini({"resources": {"limits": {"memory": "1Gi"}}})
    shown = render(values, chart=notes).one("Shown")
    assert json.loads(shown["warnings"]) == []
    assert "Doubtful" not in shown["notes"]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the chart whose warnings, and whose notes, can be read from a render."""
    copy = tmp_path_factory.mktemp("notes") / "pastebox"
    shutil.copytree(CHART, copy)
    text = (copy / "templates/NOTES.txt").read_text()
    shown = '{{- define "shown" }}' + text + "{{ end }}"
    (copy / "templates/shown.yaml").write_text(
        shown
        + "\nkind: Shown\nmetadata: {name: shown}"
        + '\nwarnings: {{ include "pastebox.warnings" . | quote }}'
        + '\nnotes: {{ include "shown" . | quote }}\n'
    )
    return copy
