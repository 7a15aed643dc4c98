# One image for each program: SERVICE says which. identity-service's has the operator's `admin` beside it. All are built at once, in a stage that knows nothing of SERVICE, so that
# the images after the first come out of the builder's cache. Nothing here needs BuildKit.
#
#   docker build --build-arg SERVICE=gateway --tag scim-gateway/gateway .

FROM rust:1-bookworm AS builder
# `release`, or `dev`: built in half the time, and several times slower.
ARG PROFILE=release
WORKDIR /src
COPY . .
# Build and clean-up are one step, so that no layer keeps gigabytes of intermediate files.
RUN set -eu; \
    cargo build --locked --profile "$PROFILE" --bins --package gateway --package identity-service \
        --package delinea-adapter --package platform-simulator --package entra-simulator --package admin; \
    mkdir -p /out/data; \
    for program in gateway identity-service delinea-adapter platform-simulator entra-simulator; do \
        mkdir -p "/out/$program"; \
        find target -maxdepth 2 -type f -name "$program" -exec cp {} "/out/$program/service" \;; \
    done; \
    find target -maxdepth 2 -type f -name admin -exec cp {} /out/identity-service/ \;; \
    rm -rf target "${CARGO_HOME:-/root/.cargo}/registry"

FROM debian:bookworm-slim
# Whom to trust when calling the Platform by https.
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# A plain user, who owns nothing but the data folder. A volume that is mounted there takes its owner over.
COPY --from=builder --chown=10001:10001 /out/data /data
ARG SERVICE
COPY --from=builder /out/${SERVICE}/ /usr/local/bin/
USER 10001:10001
WORKDIR /data
ENV OPS_LISTEN=0.0.0.0:9090
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["service", "healthcheck"]
ENTRYPOINT ["service"]
