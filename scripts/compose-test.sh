#!/usr/bin/env bash
# Builds the images and starts docker-compose.yml with the engine that DOCKER_HOST names, lets the simulated Entra go through
# it while one container after the other is killed, compares directory, SCIM and Platform, and takes everything down again. Then
# the same with docker-compose.scale.yml, where each replica is killed and the others serve meanwhile. Every step is bounded in
# time.
#
#   STACK=default, STACK=scale   one of the two
#   PROFILE=dev                  how the programs are built; `release` takes longer and is what a deployment has
#   COMPOSE_BUILD_NETWORK=host   where a build cannot reach registries from a network of its own
set -euo pipefail
cd "$(dirname "$0")/.."

export PROFILE=${PROFILE:-dev}
if [ -z "${STACK:-}" ]; then
    for stack in default scale; do STACK=$stack "$0"; done
    exit
fi
# Beside whatever runs on this machine: secrets, names, images, ports and networks of its own.
export IMAGE_TAG=test PUBLISH_ADDRESS=127.0.0.1 GATEWAY_PORT=${GATEWAY_PORT:-18080} PLATFORM_PORT=${PLATFORM_PORT:-18090}
export EDGE_SUBNET=${EDGE_SUBNET:-10.203.113.16/28}
scratch=$(mktemp -d)
./scripts/compose-env.sh "$scratch/env" >/dev/null
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
project=scim-gateway-test-$$
compose+=(--project-name "$project" --env-file "$scratch/env" --profile entra --file docker-compose.yml)
# A victim is a service and the number of its container.
case $STACK in
default)
    services=(redis platform-simulator delinea-adapter identity-service gateway)
    victims=(identity-service:1 delinea-adapter:1 gateway:1 redis:1)
    ;;
scale)
    compose+=(--file docker-compose.scale.yml)
    services=(redis platform-simulator delinea-adapter identity-service gateway-replica balancer)
    victims=(gateway-replica:1 identity-service:1 gateway-replica:2 identity-service:2)
    ;;
*)
    echo "compose-test: STACK is default or scale" >&2
    exit 64
    ;;
esac

say() { echo "compose-test ($STACK): $*"; }
within() { timeout --foreground --kill-after=10 "$@"; }
compose() { within "$1" "${compose[@]}" "${@:2}"; }
engine() { within 60 docker "$@"; }
container() {
    engine ps --all --quiet --filter "label=com.docker.compose.project=$project" \
        --filter "label=com.docker.compose.service=${1%:*}" --filter "label=com.docker.compose.oneoff=False" \
        --filter "label=com.docker.compose.container-number=${1#*:}"
}
redis() { engine exec "$(container redis:1)" redis-cli "$@"; }
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

# Waits until all containers of these services are healthy.
healthy() {
    local service id state
    for service; do
        for id in $(compose 60 ps -q "$service"); do
            for _ in $(seq 240); do
                state=$(engine inspect --format '{{.State.Health.Status}}' "$id")
                [ "$state" != healthy ] || continue 2
                sleep 0.5
            done
            say "$service is $state" >&2
            return 1
        done
    done
}

# The published ports can be asked where the engine is on this machine.
case ${DOCKER_HOST:-unix:} in unix:*) is_here=yes ;; *) is_here= ;; esac
token=$(sed -n 's/^SCIM_TOKEN=//p' "$scratch/env")
ask() { curl --fail --silent --show-error --max-time 30 --output /dev/null "$@"; }
# A read of SCIM, of which some may fail: what was on its way to a container that was killed. Which way it takes is the balancer's choice,
# so several in a row have to succeed.
served() {
    local row=0
    [ -n "$is_here" ] || return 0
    for _ in $(seq 200); do
        if ask --header @- "http://127.0.0.1:$GATEWAY_PORT/scim/v2/Users?count=1" <<<"Authorization: Bearer $token" 2>/dev/null; then
            row=$((row + 1))
            [ "$row" -lt 8 ] || return 0
        else
            row=0
            sleep 0.1
        fi
    done
    say "nobody serves" >&2
    return 1
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
        if [ "$STACK" = scale ]; then
            # Engines differ in whether what was killed by hand is restarted by itself; here it stays away meanwhile.
            engine stop "$id" >/dev/null
            served
        else
            sleep 1
        fi
        engine start "$id" >/dev/null
        healthy "${victims[0]%:*}"
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

served
[ -z "$is_here" ] || ask "http://127.0.0.1:$PLATFORM_PORT/_sim"

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
