#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds kubernetes.yaml to what its parts must agree on, and shows that each breach is seen.

The API server would ignore or refuse a name that it does not know; here every name is one of
FIELDS, which lists no more than the file uses.
"""
import copy
import pathlib
import re
import unittest

import yaml  # Debian's python3-yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "examples" / "cluster"
TEXT = (CLUSTER / "kubernetes.yaml").read_text()

METADATA = {"name": str}
CONTAINER = {"name": str, "image": str, "command": [str], "args": [str],
             "env": [{"name": str, "value": str}], "resources": {"limits": {"nvidia.com/gpu": int}}}
FIELDS = {
    "Service": {
        "apiVersion": str, "kind": str, "metadata": METADATA,
        "spec": {"clusterIP": str, "publishNotReadyAddresses": bool,
                 "selector": {"batch.kubernetes.io/job-name": str}},
    },
    "Job": {
        "apiVersion": str, "kind": str, "metadata": METADATA,
        "spec": {
            "completionMode": str, "completions": int, "parallelism": int, "backoffLimit": int,
            "podFailurePolicy": {"rules": [
                {"action": str, "onPodConditions": [{"type": str, "status": str}],
                 "onExitCodes": {"containerName": str, "operator": str, "values": [int]}}]},
            "template": {"spec": {"subdomain": str, "restartPolicy": str, "hostNetwork": bool,
                                  "dnsPolicy": str, "containers": [CONTAINER]}},
        },
    },
}


def misnamed(value, fields, at):
    """What in `value` is no field, or of another type than `fields` says."""
    if isinstance(fields, dict) and isinstance(value, dict):
        for name, inner in value.items():
            if name in fields:
                yield from misnamed(inner, fields[name], f"{at}.{name}")
            else:
                yield f"{at}.{name} is no field"
    elif isinstance(fields, list) and isinstance(value, list):
        for number, inner in enumerate(value):
            yield from misnamed(inner, fields[0], f"{at}[{number}]")
    elif type(value) is not fields:
        yield f"{at} is of another type"


def action_on(rules, container, code):
    """What the first rule that speaks of it does about an exit code, as a cluster decides it."""
    for rule in rules:
        codes = rule.get("onExitCodes")
        if codes and codes["containerName"] == container:
            if (code in codes["values"]) == (codes["operator"] == "In"):
                return rule["action"]
    return "none"


def breaches(service, job):
    for document in (service, job):
        yield from misnamed(document, FIELDS[document["kind"]], document["kind"])
    spec = job["spec"]
    pod = spec["template"]["spec"]
    rank = pod["containers"][0]
    rules = spec["podFailurePolicy"]["rules"]
    variables = {variable["name"]: variable["value"] for variable in rank["env"]}
    flags = dict(arg.lstrip("-").split("=") for arg in rank["args"] if "=" in arg)

    def need(holds, sentence):
        return [] if holds else [sentence]

    yield from need(spec["completionMode"] == "Indexed", "an index is the rank")
    yield from need(spec["completions"] == spec["parallelism"], "all ranks run at once")
    yield from need(variables["WORLD_SIZE"] == str(spec["completions"]), "a pod for each rank")
    yield from need("JOB_COMPLETION_INDEX" not in variables and "RANK" not in variables,
                    "the cluster says the rank")
    name, subdomain = job["metadata"]["name"], service["metadata"]["name"]
    yield from need(variables["MASTER_ADDR"] == f"{name}-0.{subdomain}", "rank 0's pod has a name")
    yield from need(pod.get("subdomain") == subdomain, "pods have names in the service")
    yield from need(service["spec"]["clusterIP"] == "None", "the service is headless")
    yield from need(service["spec"].get("publishNotReadyAddresses"), "names come before readiness")
    yield from need(service["spec"]["selector"]["batch.kubernetes.io/job-name"] == name,
                    "the service selects the job's pods")
    yield from need(pod["restartPolicy"] == "Never", "failure policies ask for Never")
    yield from need(not pod.get("hostNetwork") or pod.get("dnsPolicy") == "ClusterFirstWithHostNet",
                    "names resolve on the hosts' network")
    yield from need(rank["resources"]["limits"]["nvidia.com/gpu"] == 1, "a GPU for each rank")
    yield from need(float(flags["deadline-seconds"]) > 60, "pods start at different times")
    yield from need(re.search(r'getent hosts "\$MASTER_ADDR".*exec "\$@"$', rank["command"][2]),
                    "a rank waits for rank 0's name, and gets the signals")
    disrupted = {"type": "DisruptionTarget", "status": "True"}
    yield from need(rules[0] == {"action": "Ignore", "onPodConditions": [disrupted]},
                    "a disruption is nobody's fault, whatever the code")
    actions = {75: "Count", 130: "Count", 1: "FailJob", 2: "FailJob", 137: "FailJob"}
    for code, action in actions.items():
        yield from need(action_on(rules, rank["name"], code) == action, f"{action} at {code}")
    yield from need(spec["backoffLimit"] >= 2 * spec["completions"],
                    "every pod counts in a restart")


class Kubernetes(unittest.TestCase):
    def setUp(self):
        self.service, self.job = yaml.safe_load_all(TEXT)

    def breaches_where(self, change):
        service, job = copy.deepcopy(self.service), copy.deepcopy(self.job)
        change(service, job["spec"], job["spec"]["template"]["spec"])
        return "\n".join(breaches(service, job))

    def test_holds(self):
        self.assertEqual(list(breaches(self.service, self.job)), [])

    def test_sees_breaches(self):
        def variable(pod, name):
            return next(v for v in pod["containers"][0]["env"] if v["name"] == name)

        for change, sentence in [
            (lambda s, j, p: j.update(completionMode="NonIndexed"), "an index"),
            (lambda s, j, p: j.update(parallelism=2), "all ranks run"),
            (lambda s, j, p: variable(p, "WORLD_SIZE").update(value="8"), "a pod for each"),
            (lambda s, j, p: variable(p, "WORLD_SIZE").update(value=4), "value is of another type"),
            (lambda s, j, p: variable(p, "MASTER_ADDR").update(value="polyq"), "rank 0's pod"),
            (lambda s, j, p: p.pop("subdomain"), "pods have names"),
            (lambda s, j, p: s["spec"].update(clusterIP=""), "headless"),
            (lambda s, j, p: s["spec"].pop("publishNotReadyAddresses"), "readiness"),
            (lambda s, j, p: s["metadata"].update(name="other"), "pods have names"),
            (lambda s, j, p: p.update(restartPolicy="OnFailure"), "Never"),
            (lambda s, j, p: p.pop("dnsPolicy"), "hosts' network"),
            (lambda s, j, p: p["containers"][0].update(name="other"), "Count at 75"),
            (lambda s, j, p: j["podFailurePolicy"]["rules"].reverse(), "nobody's fault"),
            (lambda s, j, p: j["podFailurePolicy"]["rules"].pop(), "FailJob at 2"),
            (lambda s, j, p: j.update(backoffLimit=3), "every pod counts"),
            (lambda s, j, p: j.update(podFailurPolicy={}), "podFailurPolicy is no field"),
            (lambda s, j, p: p["containers"][0].update(command=["sh", "-c", 'exec "$@"']),
             "waits for rank 0"),
        ]:
            self.assertIn(sentence, self.breaches_where(change))

    def test_runs_what_the_image_has(self):
        containerfile = (CLUSTER / "Containerfile").read_text()
        container = self.job["spec"]["template"]["spec"]["containers"][0]
        program = container["args"][0]
        self.assertRegex(containerfile, rf"(?m)^COPY --from=build \S+/{program} /usr/local/bin/$")
        tag = container["image"].split("/")[-1]
        self.assertIn(tag, containerfile)
        targets = (ROOT / "examples" / "trainers" / "CMakeLists.txt").read_text()
        self.assertRegex(containerfile, rf"--target polyq_train_{program}\n")
        self.assertIn(f"polyq_trainer_zoo({program} ", targets)


if __name__ == "__main__":
    unittest.main()
