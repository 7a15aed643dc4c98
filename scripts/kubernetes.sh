#!/usr/bin/env bash
# Checks the manifests of deploy/kubernetes against Kubernetes's own schemas, for the oldest and the newest version that they are made
# for. The checker, kubernetes-validate, lives in target/kubernetes and brings the schemas; nothing else on the machine is
# touched, but for python3-venv, which is installed where Python cannot make a folder for it.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=target/kubernetes
# Stated, so that a new release fails a change of this line and not somebody's afternoon.
checker=kubernetes-validate==1.37.0
versions=(1.30 1.37)

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "kubernetes: installing python3-venv, which the checker's folder is made with"
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -q && $sudo apt-get install -y -q --no-install-recommends python3 python3-venv
fi
[ -x "$folder/bin/pip" ] || python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "$checker"

for version in "${versions[@]}"; do
    # Strict: what the schema does not know is a mistake, such as a word in the wrong place.
    if ! "$folder/bin/kubernetes-validate" --strict --kubernetes-version "$version" \
        deploy/kubernetes/*.yaml deploy/kubernetes/choose/*.yaml >"$folder/report" 2>&1; then
        grep -v ' passed for resource ' "$folder/report" || cat "$folder/report"
        echo "kubernetes: not what Kubernetes $version takes" >&2
        exit 1
    fi
    passed=$(grep -c ' passed for resource ' "$folder/report" || true)
    echo "kubernetes: $passed resources are what Kubernetes $version takes"
    # No resource at all would be no success either.
    [ "$passed" -gt 0 ]
done
