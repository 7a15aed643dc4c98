#!/usr/bin/env bash
# Has outside judges check SCIM: scim2-tester, through scim2-cli, against an all-in-one that has just been started.
# Fails when one check fails. The judges live in target/conformance; nothing else on the machine is touched, but for
# python3-venv, which is installed where Python cannot make a folder for them.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=target/conformance
# Stated, so that a new release of a judge fails a change of this line and not somebody's afternoon.
judges=(scim2-cli==0.6.0 scim2-tester==0.5.2)

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "conformance: installing python3-venv, which the judges' folder is made with"
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -q && $sudo apt-get install -y -q --no-install-recommends python3 python3-venv
fi
[ -x "$folder/bin/pip" ] || python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "${judges[@]}"

${CARGO:-cargo} build --locked --package all-in-one
scratch=$(mktemp -d)
./target/debug/all-in-one --ephemeral --endpoints-file "$scratch/endpoints.json" >"$scratch/log" 2>&1 &
server=$!
stop() {
    kill "$server" 2>/dev/null && wait "$server" || true
    rm -rf "$scratch"
}
trap stop EXIT

for _ in $(seq 300); do
    [ -s "$scratch/endpoints.json" ] && break
    if ! kill -0 "$server" 2>/dev/null; then
        break
    fi
    sleep 0.1
done
if [ ! -s "$scratch/endpoints.json" ]; then
    cat "$scratch/log"
    echo "conformance: all-in-one did not start" >&2
    exit 1
fi
endpoint() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$scratch/endpoints.json" "$1"
}

# The token goes by the environment: arguments are there for everybody to see.
SCIM_CLI_HEADERS="Authorization: Bearer $(endpoint bearer_token)"
export SCIM_CLI_HEADERS
outcome=0
"$folder/bin/scim" --url "$(endpoint scim_base_url)" test >"$scratch/report" || outcome=$?
cat "$scratch/report"
passed=$(grep -c '^SUCCESS' "$scratch/report" || true)
others=$(grep -cE '^(ERROR|CRITICAL|SKIPPED|ACCEPTABLE)' "$scratch/report" || true)
echo "conformance: scim2-tester passed $passed checks; $others others"
# No check at all would be no success either.
[ "$outcome" = 0 ] && [ "$passed" -gt 0 ]
