#!/usr/bin/env bash
# Builds the images and starts docker-compose.yml with the engine that DOCKER_HOST names, lets the simulated Entra go through
# it while one container after the other is killed, compares directory, SCIM and Platform, and takes everything down again.
# Every step is bounded in time.
#
#   PROFILE=dev                  how the programs are built; `release` takes longer and is what a deployment has
#   COMPOSE_BUILD_NETWORK=host   where a build cannot reach the crates' registry from a network of its own
set -euo pipefail
cd "$(dirname "$0")/.."

export PROFILE=${PROFILE:-dev}
# Beside whatever runs on this machine: secrets, names, images and ports of its own.
export IMAGE_TAG=test PUBLISH_ADDRESS=127.0.0.1 GATEWAY_PORT=${GATEWAY_PORT:-18080} PLATFORM_PORT=${PLATFORM_PORT:-18090}
scratch=$(mktemp -d)
./scripts/compose-env.sh "$scratch/env" >/dev/null
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
compose+=(--project-name "scim-gateway-test-$$" --env-file "$scratch/env" --profile entra)
services=(redis platform-simulator delinea-adapter identity-service gateway)
victims=(identity-service delinea-adapter gateway redis)

say() { echo "compose-test: $*"; }
within() { timeout --foreground --kill-after=10 "$@"; }
compose() { within "$1" "${compose[@]}" "${@:2}"; }
engine() { within 60 docker "$@"; }
container() { compose 60 ps -q "$1"; }
redis() { engine exec "$(container redis)" redis-cli "$@"; }
entra() { compose 900 run --rm --no-deps -T entra-simulator "$@"; }

finish() {
    local outcome=$?
    trap '' INT TERM
    if [ "$outcome" != 0 ]; then
        compose 60 ps || true
        compose 60 logs --no-color --tail 60 || true
    fi
    compose 180 down --volumes --remove-orphans --timeout 15 >"$scratch/down" 2>&1 || cat "$scratch/down"
    rm -rf "$scratch"
    if [ "$outcome" = 0 ]; then say "passed"; else say "failed" >&2; fi
    exit "$outcome"
}
trap finish EXIT
trap 'exit 1' INT TERM

# Waits until the containers of these services are healthy.
healthy() {
    local service state
    for service; do
        for _ in $(seq 240); do
            state=$(engine inspect --format '{{.State.Health.Status}}' "$(container "$service")")
            [ "$state" != healthy ] || continue 2
            sleep 0.5
        done
        say "$service is $state" >&2
        return 1
    done
}

# Lets a cycle of Entra's go through and kills what is left of `victims` meanwhile. Leaves those for which there was no time.
cycle() {
    entra sync --users 300 --groups 30 --cycles 12 --retry-for 120s --settle 180s >"$scratch/sync" 2>&1 &
    local sync=$! id
    while [ "${#victims[@]}" != 0 ]; do
        sleep 4
        id=$(container "${victims[0]}")
        kill -0 "$sync" 2>/dev/null || break
        say "killing ${victims[0]}"
        engine kill "$id" >/dev/null
        sleep 1
        # Engines differ in whether what was killed by hand is restarted by itself.
        engine start "$id" >/dev/null
        healthy "${victims[0]}"
        victims=("${victims[@]:1}")
    done
    wait "$sync" || {
        cat "$scratch/sync"
        return 1
    }
}

say "building, PROFILE=$PROFILE"
compose 3600 build
say "starting"
compose 600 up -d "${services[@]}"
healthy "${services[@]}"

# The published ports can be asked where the engine is on this machine.
case ${DOCKER_HOST:-unix:} in
unix:*)
    token=$(sed -n 's/^SCIM_TOKEN=//p' "$scratch/env")
    ask() { curl --fail --silent --show-error --max-time 30 --output /dev/null "$@"; }
    ask --header @- "http://127.0.0.1:$GATEWAY_PORT/scim/v2/Users?count=1" <<<"Authorization: Bearer $token"
    ask "http://127.0.0.1:$PLATFORM_PORT/_sim"
    ;;
esac

for _ in $(seq 10); do
    [ "${#victims[@]}" != 0 ] || break
    say "a cycle with kills"
    cycle
    cat "$scratch/sync"
done
if [ "${#victims[@]}" != 0 ]; then
    say "no time to kill ${victims[*]}" >&2
    exit 1
fi

say "a cycle in peace"
cycle
cat "$scratch/sync"

# All of it again from what is on disk alone.
say "stopping everything and starting it anew"
compose 180 stop --timeout 15
compose 600 up -d "${services[@]}"
healthy "${services[@]}"
entra verify --settle 60s

say "the operator's view"
compose 60 exec -T identity-service admin status --check

say "redis holds $(redis DBSIZE) keys"
[ "$(redis DBSIZE)" -gt 300 ]
