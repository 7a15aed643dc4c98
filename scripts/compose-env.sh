#!/usr/bin/env bash
# Makes the file (default: .env) that docker-compose reads secrets from, unless it is there: a bearer token for Entra with
# its hash, which is all that the gateway learns, the token that the services show each other, and the secret of the simulated
# Platform's service user. What a file of an earlier version lacks is added to it.
set -euo pipefail
cd "$(dirname "$0")/.."

file=${1:-.env}
# 43 characters of A-Z a-z 0-9 - _: 256 random bits.
random() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
if [ -e "$file" ]; then
    if ! grep -q '^GRPC_TOKEN=' "$file"; then
        printf '\n%s\n' "GRPC_TOKEN=$(random)" >>"$file"
        echo "compose: added a token for the services to $file"
    fi
    exit 0
fi
token=dsg_$(random)
if command -v sha256sum >/dev/null; then sum=(sha256sum); else sum=(shasum -a 256); fi
umask 077
cat >"$file.new" <<END
# Made by scripts/compose-env.sh. Keep it to yourself, and out of version control.
# What Entra is given as "Secret Token"; no service reads it, but for the simulated Entra.
SCIM_TOKEN=$token
BEARER_TOKEN_SHA256=$(printf %s "$token" | "${sum[@]}" | cut -d ' ' -f 1)
PLATFORM_CLIENT_SECRET=$(random)
# What the services, and admin, show each other.
GRPC_TOKEN=$(random)
END
mv "$file.new" "$file"
echo "compose: made $file, with a new bearer token"
