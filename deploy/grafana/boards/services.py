"""The services themselves: are they ready, what do they serve, what do they need?"""

from .panels import INSTANCE, SERVICE, Board, Panel

OF = 'job=~"$service", instance=~"$instance"'
SERVER = '{ resource.service.name =~ "${service:pipe}" && kind = server }'
FAILED = '{ resource.service.name =~ "${service:pipe}" && kind = server && status = error }'
SLOW = '{ resource.service.name =~ "${service:pipe}" && kind = server && duration > 1s }'
CLIENT = '{ resource.service.name =~ "${service:pipe}" && kind = client && status = error }'


def quantile(share, metric, by):
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{{OF}}}[$__rate_interval])))"


READY = [
    Panel(
        title="Is each replica ready?",
        kind="stat",
        queries=[
            (
                f'min by (job, service, instance) (service_phase{{{OF}, phase="running"}} or (1 - service_dependency_state{{{OF}, state="not_ready"}}))'
                f' or label_replace(up{{{OF}, job!~"collector|tempo"}} == 0, "service", "$1", "job", "(.*)")',
                "{{job}}: {{service}} {{instance}}",
            )
        ],
        unit="none",
        normal="yes. *no* for some seconds when it starts or is stopped.",
        do="the table beside it names the dependency; `/readyz` says why.",
        runbook="noreplicaready",
        traces=FAILED,
        words={1: "yes", 0: "no"},
        none="nothing is scraped",
    ),
    Panel(
        title="Which dependency keeps whom from serving as usual?",
        kind="table",
        queries=[(f'max by (service, instance, dependency, state) (service_dependency_state{{{OF}, state!="ready"}}) == 1', "")],
        unit="none",
        normal="none.",
        do="*degraded* serves with a restriction, *not_ready* does not serve. `/readyz` says why.",
        runbook="dependencydegraded",
        traces=FAILED,
        yellow=1,
        none="all are as they should be",
    ),
    Panel(
        title="When were they started?",
        kind="stat",
        queries=[(f"min by (job, instance) (process_uptime_seconds{{{OF}}})", "{{job}} {{instance}}")],
        unit="s",
        normal="since the last roll-out.",
        do="one that is always young ends again and again: its log says why (exit code 64: a setting; 1: a fault).",
        runbook="replicamissing",
        traces=SERVER,
        yellow=600,
        red=60,
        falling=True,
        none="nothing is scraped",
    ),
]

SERVE = [
    Panel(
        title="Which requests come, and how are they answered?",
        kind="timeseries",
        queries=[
            (
                f"sum by (http_request_method, http_route, http_response_status_code) (rate(http_server_request_duration_seconds_count{{{OF}}}[$__rate_interval]))",
                "{{http_request_method}} {{http_route}} {{http_response_status_code}}",
            )
        ],
        unit="reqps",
        normal="bursts in Entra's cycles.",
        do="5xx on one route only: its traces. On all: identity-service.",
        runbook="entranotserved",
        traces=FAILED,
        stacked=True,
        width=12,
    ),
    Panel(
        title="How long does each route take?",
        kind="timeseries",
        queries=[(quantile(0.95, "http_server_request_duration_seconds", "http_request_method, http_route"), "{{http_request_method}} {{http_route}}")],
        unit="s",
        normal="reads in milliseconds; writes up to ANSWER_WAIT (2 s).",
        do="more: the calls of the next panel are slow, or requests wait in line.",
        runbook="requeststurnedaway",
        traces=SLOW,
        yellow=2.5,
        red=10,
        width=12,
    ),
    Panel(
        title="Which calls between the services fail?",
        kind="timeseries",
        queries=[
            (
                f'sum by (job, rpc_method, rpc_response_status_code) (rate(rpc_server_call_duration_seconds_count{{{OF}, rpc_response_status_code!="OK"}}[$__rate_interval]))',
                "{{job}} {{rpc_method}} {{rpc_response_status_code}}",
            )
        ],
        unit="cps",
        normal="NOT_FOUND, ALREADY_EXISTS, ABORTED and FAILED_PRECONDITION are answers like any other.",
        do="INTERNAL is a fault of ours; UNAVAILABLE and DEADLINE_EXCEEDED: the callee is away or slow; UNAUTHENTICATED: its token or certificate.",
        runbook="entraerrorslast",
        traces=FAILED,
        stacked=True,
        width=12,
    ),
    Panel(
        title="How long do calls between the services take?",
        kind="timeseries",
        queries=[
            (quantile(0.95, "rpc_server_call_duration_seconds", "job, rpc_method"), "{{job}} serves {{rpc_method}}"),
            (quantile(0.95, "rpc_client_call_duration_seconds", "job, rpc_method"), "{{job}} waits for {{rpc_method}}"),
        ],
        unit="s",
        normal="milliseconds; writes of users and groups up to ANSWER_WAIT; what goes to the Platform as long as that takes.",
        do="who waits longer than the other serves: the network between them, or a queue.",
        runbook="storeslow",
        traces=SLOW,
        yellow=2.5,
        red=10,
        width=12,
    ),
    Panel(
        title="Who was turned away?",
        kind="timeseries",
        queries=[
            (f"sum by (reason, scim_tenant) (increase(scim_requests_refused_total{{{OF}}}[$__rate_interval]))", "request: {{reason}} {{scim_tenant}}"),
            (f"sum by (reason) (increase(http_connections_ended_total{{{OF}}}[$__rate_interval]))", "connection: {{reason}}"),
            (f"sum by (reason) (increase(tls_handshakes_failed_total{{{OF}}}[$__rate_interval]))", "handshake: {{reason}}"),
        ],
        unit="short",
        normal="strangers' handshakes; nothing of Entra's.",
        do="`rate`, `concurrency`: a tenant sends more than its limits. `overload`: there is too little of the gateway (docs/edge.md).",
        runbook="requeststurnedaway",
        traces='{ resource.service.name =~ "${service:pipe}" && kind = server && span.http.response.status_code = 429 }',
        yellow=10,
        stacked=True,
    ),
    Panel(
        title="Which callers were refused between the services?",
        kind="timeseries",
        queries=[(f"sum by (job, reason) (increase(rpc_server_refused_calls_total{{{OF}}}[$__rate_interval]))", "{{job}}: {{reason}}")],
        unit="short",
        normal="none.",
        do="a token or certificate differs between services or has ended; the log of who refuses names the peer.",
        runbook="internalcallsrefused",
        traces=CLIENT,
        yellow=1,
    ),
    Panel(
        title="Were there faults of our own?",
        kind="timeseries",
        queries=[(f"sum by (job, during) (panics_total{{{OF}}})", "{{job}}: {{during}}")],
        unit="short",
        normal="none, ever, since a service was started.",
        do="the log has it with a backtrace: report it.",
        runbook="panicked",
        traces=FAILED,
        red=1,
    ),
]

NEED = [
    Panel(
        title="How much CPU do they use?",
        kind="timeseries",
        queries=[(f"sum by (job, instance) (rate(process_cpu_time_seconds_total{{{OF}}}[$__rate_interval]))", "{{job}} {{instance}}")],
        unit="cores",
        normal="a small part of one core between cycles.",
        do="as much as there is for long: more gateways, or a machine with more cores.",
        runbook="requeststurnedaway",
        traces=SLOW,
    ),
    Panel(
        title="How much memory do they use?",
        kind="timeseries",
        queries=[(f"max by (job, instance) (process_memory_usage_bytes{{{OF}}})", "{{job}} {{instance}}")],
        unit="bytes",
        normal="tens of MiB; identity-service as much as STORE_CACHE more. Flat.",
        do="what grows for days without an end is a fault of ours: report it, with docs/performance.md beside it.",
        runbook="replicamissing",
        traces=SERVER,
        yellow=512 * 1024 * 1024,
        red=1024 * 1024 * 1024,
    ),
    Panel(
        title="Are threads and file descriptors within bounds?",
        kind="timeseries",
        queries=[
            (f"max by (job, instance) (process_thread_count{{{OF}}})", "{{job}} {{instance}}: threads"),
            (f"max by (job, instance) (process_unix_file_descriptor_count{{{OF}}})", "{{job}} {{instance}}: descriptors"),
        ],
        unit="short",
        normal="a few dozen, and one descriptor for each connection.",
        do="descriptors that only grow: connections that nobody closes.",
        runbook="replicamissing",
        traces=SERVER,
        yellow=800,
        red=1000,
    ),
    Panel(
        title="Is the runtime keeping up?",
        kind="timeseries",
        queries=[
            (
                f"sum by (job, instance) (rate(tokio_worker_busy_time_seconds_total{{{OF}}}[$__rate_interval]))"
                f" / max by (job, instance) (tokio_workers{{{OF}}})",
                "{{job}} {{instance}}: busy",
            )
        ],
        unit="percentunit",
        normal="a few per cent.",
        do="near 100 %: too few cores, or something that blocks a worker.",
        runbook="requeststurnedaway",
        traces=SLOW,
        yellow=0.7,
        red=0.9,
    ),
    Panel(
        title="How many tasks are there, and do they wait?",
        kind="timeseries",
        queries=[
            (f"max by (job, instance) (tokio_alive_tasks{{{OF}}})", "{{job}} {{instance}}: alive"),
            (f"max by (job, instance) (tokio_global_queue_depth{{{OF}}})", "{{job}} {{instance}}: waiting"),
        ],
        unit="short",
        normal="dozens alive, none waiting.",
        do="waiting for long: as in the panel before. Alive and only growing: a fault of ours.",
        runbook="requeststurnedaway",
        traces=SLOW,
        yellow=10000,
    ),
    Panel(
        title="Do traces arrive?",
        kind="timeseries",
        queries=[
            (f'sum by (job) (rate(otel_sdk_exporter_span_exported_total{{{OF}, error_type=""}}[$__rate_interval]))', "{{job}}: sent"),
            (f'sum by (job, error_type) (rate(otel_sdk_processor_span_processed_total{{{OF}, error_type!=""}}[$__rate_interval]))', "{{job}}: dropped, {{error_type}}"),
            (f'sum by (job, error_type) (rate(otel_sdk_exporter_span_exported_total{{{OF}, error_type!=""}}[$__rate_interval]))', "{{job}}: not taken, {{error_type}}"),
        ],
        unit="cps",
        normal="all are sent; none where no collector is named.",
        do="dropped: the collector is away or too slow. No request is slower for it.",
        runbook="telemetrydropped",
        traces=SERVER,
    ),
    Panel(
        title="When do certificates end?",
        kind="table",
        queries=[(f"min by (job, instance, name) (tls_certificate_remaining_days{{{OF}}})", "")],
        unit="d",
        normal="more than thirty days; by ACME it is renewed when a third of its time is left.",
        do="put the new certificate and its key in place of the old ones: they are followed while the service runs.",
        runbook="certificateendssoon",
        traces=FAILED,
        yellow=30,
        red=7,
        falling=True,
        none="no TLS of our own",
        width=12,
    ),
    Panel(
        title="Is the file of tenants in force?",
        kind="stat",
        queries=[(f"max by (job, service) (tenants_file_faulty{{{OF}}})", "{{service}}")],
        unit="none",
        normal="yes, or there is none.",
        do="the log says what is wrong, and where in the file. What was in force before stays so.",
        runbook="tenantsfilefaulty",
        traces=SERVER,
        words={0: "yes", 1: "no"},
        red=1,
        none="no file of tenants",
        width=12,
    ),
]

BOARD = Board(
    uid="scim-services",
    title="SCIM Gateway: Services",
    about="Are the services ready, what do they serve, what do they need?",
    variables=[SERVICE, INSTANCE],
    rows=[("Are they ready?", READY), ("What do they serve?", SERVE), ("What do they need?", NEED)],
)
