#!/usr/bin/env bash
# Adds to the file (default: .env) that Compose reads secrets from what it lacks of them: a bearer token for Entra with its hash,
# which is all that the services learn, the token that the services show each other, the secret of the simulated Platform's
# service user, and Grafana's password. .env.example has every variable.
#
#   compose-env.sh [FILE [STACK]]
#
# STACK, names separated by commas, decides which files Compose reads from then on: `default`, or `real`, `scale` and
# `observe` together as they are wanted. It is kept in FILE; without it nothing is changed.
set -euo pipefail
cd "$(dirname "$0")/.."

file=${1:-.env}
stack=${2:-}
umask 077

# 43 characters of A-Z a-z 0-9 - _: 256 random bits.
random() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
# Whether a variable is there, and not empty.
has() { grep -q "^$1=." "$file"; }
# Takes all lines of a variable out and adds the one given, in one step.
put() {
    grep -v "^$1=" "$file" >"$file.new" || true
    printf '%s=%s\n' "$1" "$2" >>"$file.new"
    mv "$file.new" "$file"
}

if [ ! -e "$file" ]; then
    echo '# Made by scripts/compose-env.sh. Keep it to yourself, and out of version control. .env.example has what each is for.' >"$file"
fi
if ! has BEARER_TOKEN_SHA256; then
    token=dsg_$(random)
    if command -v sha256sum >/dev/null; then sum=(sha256sum); else sum=(shasum -a 256); fi
    put SCIM_TOKEN "$token"
    put BEARER_TOKEN_SHA256 "$(printf %s "$token" | "${sum[@]}" | cut -d ' ' -f 1)"
    echo "compose: a new bearer token is in $file"
fi
for name in PLATFORM_CLIENT_SECRET GRPC_TOKEN GRAFANA_PASSWORD; do
    has "$name" || put "$name" "$(random)"
done

[ -n "$stack" ] || exit 0
files=docker-compose.yml
collector=
# What is real comes last: nothing is put on top of it.
for part in scale observe real; do
    case ",$stack," in *",$part,"*) files+=:docker-compose.$part.yml ;; esac
done
for part in ${stack//,/ }; do
    case $part in
    default | scale) ;;
    real)
        for name in PLATFORM_URL PLATFORM_CLIENT_ID; do
            has "$name" || missing+=("$name in $file")
        done
        secret=$(sed -n 's/^PLATFORM_CLIENT_SECRET_PATH=//p' "$file")
        secret=${secret:-./secrets/platform-client-secret}
        [ -s "$secret" ] || missing+=("the service user's secret in $secret")
        if [ -n "${missing[*]-}" ]; then
            printf 'compose: a real tenant needs %s\n' "${missing[@]}" >&2
            exit 64
        fi
        ;;
    observe) collector=http://collector:4317 ;;
    *)
        echo "compose: there is no $part; STACK is default, or of real, scale and observe, separated by commas" >&2
        exit 64
        ;;
    esac
done
put COMPOSE_FILE "$files"
# A collector of your own stays, and so does none.
case $(sed -n 's/^OTEL_EXPORTER_OTLP_ENDPOINT=//p' "$file") in
'' | http://collector:4317) put OTEL_EXPORTER_OTLP_ENDPOINT "$collector" ;;
esac
echo "compose: $file chooses $files"
