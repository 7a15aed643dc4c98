#!/usr/bin/env bash
# Has Grafana's own definitions judge the dashboards (deploy/grafana/check.py), once they are what the script writes. The judge
# lives in target/dashboards; nothing else on the machine is touched, but for python3-venv, where Python cannot make a folder for it.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=target/dashboards
# Its versions have the build's time before Grafana's.
judge='grafana-foundation-sdk==1769699379!11.6.0'

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "check-dashboards: installing python3-venv, which the judge's folder is made with"
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -q && $sudo apt-get install -y -q --no-install-recommends python3 python3-venv
fi
[ -x "$folder/bin/pip" ] || python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "$judge"

python3 -B deploy/grafana/generate.py --check
"$folder/bin/python" -B deploy/grafana/check.py
