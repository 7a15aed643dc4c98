"""Health at a glance: is Entra being served, is the Platform being reached, what is stuck?"""

from .panels import TENANT, Board, Panel

REQUESTS = 'http_server_request_duration_seconds_count{job=~"gateway|all-in-one"}'
FAILED = 'http_server_request_duration_seconds_count{job=~"gateway|all-in-one", http_response_status_code=~"5.."}'
BUCKETS = 'http_server_request_duration_seconds_bucket{job=~"gateway|all-in-one"}'

GATEWAY = '{ resource.service.name =~ "gateway|all-in-one" && kind = server }'
GATEWAY_FAILED = '{ resource.service.name =~ "gateway|all-in-one" && kind = server && span.http.response.status_code >= 500 }'
GATEWAY_REFUSED = '{ resource.service.name =~ "gateway|all-in-one" && kind = server && span.http.response.status_code = 401 }'
GATEWAY_SLOW = '{ resource.service.name =~ "gateway|all-in-one" && kind = server && duration > 2s }'
DELIVERIES = '{ name = "deliver" && span.scim.tenant =~ "${tenant:pipe}" }'
DELIVERIES_OPEN = '{ name = "deliver" && span.scim.tenant =~ "${tenant:pipe}" && span.delivery.outcome != "applied" }'
CALLS_FAILED = '{ resource.service.name =~ "delinea-adapter|all-in-one" && kind = client && status = error && span.scim.tenant =~ "${tenant:pipe}" }'

SERVED = [
    Panel(
        title="How many replicas of each service are ready?",
        kind="stat",
        queries=[
            (
                'sum by (service) (min by (service, instance) (service_phase{phase="running"} or (1 - service_dependency_state{state="not_ready"})))'
                ' or on (service) label_replace(max by (job) (up{job=~"gateway|identity-service|delinea-adapter"}) * 0, "service", "$1", "job", "(.*)")',
                "{{service}}",
            )
        ],
        unit="none",
        normal="as many as there are replicas, of each service.",
        do="`/readyz` on the service's OPS_LISTEN says which dependency it waits for. The Services dashboard shows each replica.",
        runbook="noreplicaready",
        traces=GATEWAY_FAILED,
        red=1,
        falling=True,
        none="nothing is scraped",
    ),
    Panel(
        title="What share of Entra's requests fails with 5xx?",
        kind="stat",
        queries=[(f"sum(rate({FAILED}[$__range])) / sum(rate({REQUESTS}[$__range])) or sum(rate({REQUESTS}[$__range])) * 0", "")],
        unit="percentunit",
        normal="0 %. Entra repeats what failed in its next cycle, so a restart shows here and harms nobody.",
        do="look at the traces behind it: the first span that failed names the service.",
        runbook="entranotserved",
        traces=GATEWAY_FAILED,
        yellow=0.01,
        red=0.05,
        none="no requests",
    ),
    Panel(
        title="How long ago did Entra last send something?",
        kind="stat",
        queries=[(f"time() - max(max_over_time(timestamp(sum(increase({REQUESTS}[2m])) > 0)[1d:1m]))", "")],
        unit="s",
        normal="less than 40 minutes while the directory changes. In a cycle without changes Entra sends nothing at all, so that a quiet night is no fault.",
        do="if changes were made in Entra: is its provisioning on, or in quarantine? Are credentials refused?",
        runbook="nothing-comes-from-entra",
        traces=GATEWAY,
        yellow=4 * 3600,
        none="nothing for a day",
    ),
    Panel(
        title="How many requests does Entra send, and how are they answered?",
        kind="timeseries",
        queries=[(f"sum by (http_response_status_code) (rate({REQUESTS}[$__rate_interval]))", "{{http_response_status_code}}")],
        unit="reqps",
        normal="bursts every 40 minutes: 200, 201, 204; 404 where Entra asks for who is not there yet; some 409 and 400.",
        do="many 400: the mapping in Entra, or refusals of the Platform (Delivery dashboard). 401: its credential. 429: more than the tenant's limits. 5xx: ours.",
        runbook="entranotserved",
        traces=GATEWAY,
        stacked=True,
    ),
    Panel(
        title="How long does Entra wait for an answer?",
        kind="timeseries",
        queries=[
            (f"histogram_quantile(0.5, sum by (le) (rate({BUCKETS}[$__rate_interval])))", "half"),
            (f"histogram_quantile(0.95, sum by (le) (rate({BUCKETS}[$__rate_interval])))", "95 %"),
            (f"histogram_quantile(0.99, sum by (le) (rate({BUCKETS}[$__rate_interval])))", "99 %"),
        ],
        unit="s",
        normal="reads in milliseconds; writes up to ANSWER_WAIT (2 s), because they wait for the Platform's verdict.",
        do="more than that: is the store slow (Store dashboard), or are requests waiting in line?",
        runbook="requeststurnedaway",
        traces=GATEWAY_SLOW,
        yellow=2.5,
        red=10,
    ),
    Panel(
        title="Whose credentials are refused, and why?",
        kind="timeseries",
        queries=[("sum by (reason) (increase(scim_credential_refusals_total[$__rate_interval]))", "{{reason}}")],
        unit="short",
        normal="nothing but `missing`, from who scans the internet.",
        do="`expired` or `revoked`: Entra still has a credential of before. `unknown`: mistyped, or guessed. `unavailable`: the gateway cannot ask identity-service.",
        runbook="credentialsrefused",
        traces=GATEWAY_REFUSED,
        yellow=5,
        stacked=True,
    ),
]

REACHED = [
    Panel(
        title="Is the Platform reached?",
        kind="stat",
        queries=[('max by (scim_tenant) (scim_platform_breaker_open{scim_tenant=~"$tenant"})', "{{scim_tenant}}")],
        unit="none",
        normal="yes.",
        do="*no*: eight resources in a row got no verdict, and tries are few until one does. A replica without work keeps a *no*.",
        runbook="platformnotreached",
        traces=CALLS_FAILED,
        words={0: "yes", 1: "no"},
        red=1,
    ),
    Panel(
        title="How do calls of the Platform end?",
        kind="timeseries",
        queries=[('sum by (outcome) (rate(platform_calls_total{scim_tenant=~"$tenant"}[$__rate_interval]))', "{{outcome}}")],
        unit="cps",
        normal="`ok`, and `not_found` or `duplicate` where a look-up says so.",
        do="`unreachable`, `timeout`, `unavailable`: the Platform or the way there. `credentials`: the service user. `throttled`: MAX_RPS.",
        runbook="platformnotreached",
        traces=CALLS_FAILED,
        stacked=True,
    ),
    Panel(
        title="What ends soon?",
        kind="table",
        queries=[
            ('min by (scim_tenant, kind, credential) (scim_credential_remaining_days{scim_tenant=~"$tenant"})', "credential"),
            ("min by (job, name) (tls_certificate_remaining_days)", "certificate"),
            ('min by (scim_tenant) (platform_secret_remaining_days{scim_tenant=~"$tenant"})', "Platform secret"),
        ],
        unit="d",
        normal="more than thirty days, or what is renewed by itself.",
        do="make a new one beside it, hand it over, and revoke the old one.",
        runbook="credentialendssoon",
        traces=GATEWAY_REFUSED,
        yellow=30,
        red=7,
        falling=True,
        none="nothing that ends",
    ),
]

STUCK = [
    Panel(
        title="How long has the oldest change been waiting?",
        kind="stat",
        queries=[
            (
                'max by (scim_tenant) (scim_outbox_oldest_age_seconds{scim_tenant=~"$tenant", state="pending"})',
                "{{scim_tenant}}",
            )
        ],
        unit="s",
        normal="seconds; minutes in an initial cycle. Who leaves goes first.",
        do="`admin pending` tells what waits and why. One reason for all: it is the Platform.",
        runbook="changeswait",
        traces=DELIVERIES_OPEN,
        yellow=900,
        red=3600,
    ),
    Panel(
        title="What keeps changes from being delivered?",
        kind="stat",
        queries=[
            ('max by (scim_tenant, brake) (scim_brake_engaged{scim_tenant=~"$tenant"}) == 1', "{{scim_tenant}}: brake {{brake}}"),
            ('max by (scim_tenant) (scim_tenant_paused{scim_tenant=~"$tenant"}) == 1', "{{scim_tenant}}: paused"),
            ('max by (scim_tenant) (scim_tenant_dry_run{scim_tenant=~"$tenant"}) == 1', "{{scim_tenant}}: dry run"),
        ],
        unit="none",
        normal="nothing.",
        do="brake *deactivations*: people who left still get in; `admin held`, now. *removals*: was it meant? A pause or a dry run is somebody's decision: `admin status` tells whose.",
        runbook="deactivationbrakeengaged",
        traces=DELIVERIES_OPEN,
        red=1,
        none="nothing",
    ),
    Panel(
        title="How many changes are refused or held?",
        kind="stat",
        queries=[
            (
                'max by (scim_tenant, state) (scim_outbox_items{scim_tenant=~"$tenant", state=~"refused|held|planned"})',
                "{{scim_tenant}}: {{state}}",
            )
        ],
        unit="short",
        normal="none.",
        do="`admin refused` and `admin held` tell which and why; the Delivery dashboard which reasons there are.",
        runbook="changesrefused",
        traces=DELIVERIES_OPEN,
        yellow=1,
        red=20,
    ),
    Panel(
        title="How much is on its way?",
        kind="timeseries",
        queries=[('max by (scim_tenant, state) (scim_outbox_items{scim_tenant=~"$tenant"})', "{{scim_tenant}}: {{state}}")],
        unit="short",
        normal="hills that are worked off: an initial cycle is thousands, a usual one dozens.",
        do="a hill that only grows: the Platform is not reached, or slower than Entra.",
        runbook="changeswait",
        traces=DELIVERIES,
        stacked=True,
        width=12,
    ),
    Panel(
        title="Does the Platform hold what was applied?",
        kind="stat",
        queries=[('sum by (scim_tenant) (max by (scim_tenant, kind) (scim_drift_found{scim_tenant=~"$tenant"}))', "{{scim_tenant}}")],
        unit="short",
        normal="no difference, or those that other hands are meant to make.",
        do="`admin drift plan` tells which; `admin drift apply` sets them right.",
        runbook="when-the-platform-differs",
        traces=DELIVERIES,
        yellow=1,
        red=100,
        width=6,
    ),
    Panel(
        title="Which alerts are firing?",
        kind="table",
        queries=[('max by (severity, alertname, scim_tenant, job) (ALERTS{alertstate="firing"})', "")],
        unit="none",
        normal="none.",
        do="each has a section of its own name in the runbooks.",
        runbook="runbooks",
        traces=GATEWAY_FAILED,
        none="no alert",
        width=6,
    ),
]

BOARD = Board(
    uid="scim-overview",
    title="SCIM Gateway: Overview",
    about="Is Entra being served, is the Platform being reached, what is stuck?",
    variables=[TENANT],
    rows=[("Is Entra being served?", SERVED), ("Is the Platform being reached?", REACHED), ("What is stuck?", STUCK)],
)
