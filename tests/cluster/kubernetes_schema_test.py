#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds kubernetes.yaml to the API's own schemas, which the package kubernetes-validate brings
along. Exits with 77, skipped, where that is absent; kubernetes_test.py runs everywhere."""
import pathlib
import sys

try:
    import kubernetes_validate
    import yaml
except ImportError as absent:
    print(f"skipped: {absent}; python3 -m pip install kubernetes-validate")
    sys.exit(77)

FILE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "cluster" / "kubernetes.yaml"
OLDEST = "1.31"  # which the file's head asks for


def refused(document, version):
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return error.message
    return None


def main():
    documents = list(yaml.safe_load_all(FILE.read_text()))
    for version in (OLDEST, kubernetes_validate.latest_version()):
        for document in documents:
            message = refused(document, version)
            if message:
                print(f"{document['kind']}, Kubernetes {version}: {message}")
                return 1
    documents[1]["spec"]["completionsMode"] = "Indexed"
    if not refused(documents[1], OLDEST):
        print("the schema takes a field that there is not: the check is no check")
        return 1
    print(f"{len(documents)} documents fit Kubernetes {OLDEST} and {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
