"""The Platform from the adapter's side: what it answers, how fast it may be called, what it does not let us do."""

from .panels import PLATFORM_TENANT, Board, Panel

OF = 'scim_tenant=~"$tenant"'
CALLS = '{ resource.service.name =~ "delinea-adapter|all-in-one" && kind = client && span.scim.tenant =~ "${tenant:pipe}" }'
FAILED = '{ resource.service.name =~ "delinea-adapter|all-in-one" && kind = client && span.scim.tenant =~ "${tenant:pipe}" && status = error }'
SLOW = '{ resource.service.name =~ "delinea-adapter|all-in-one" && kind = client && span.scim.tenant =~ "${tenant:pipe}" && duration > 1s }'
THROTTLED = '{ resource.service.name =~ "delinea-adapter|all-in-one" && span.scim.tenant =~ "${tenant:pipe}" && span.platform.outcome = "throttled" }'
TOKENS = '{ resource.service.name =~ "delinea-adapter|all-in-one" && span.scim.tenant =~ "${tenant:pipe}" && name =~ ".*[Tt]oken.*" }'

ANSWERS = [
    Panel(
        title="Is the Platform reached?",
        kind="stat",
        queries=[(f"max by (scim_tenant) (scim_platform_breaker_open{{{OF}}})", "{{scim_tenant}}")],
        unit="none",
        normal="yes.",
        do="*no*: eight resources in a row got no verdict, and tries are few until one does.",
        runbook="platformnotreached",
        traces=FAILED,
        words={0: "yes", 1: "no"},
        red=1,
        width=4,
    ),
    Panel(
        title="How many calls are made, and how do they end?",
        kind="timeseries",
        queries=[(f"sum by (outcome) (rate(platform_calls_total{{{OF}}}[$__rate_interval]))", "{{outcome}}")],
        unit="cps",
        normal="`ok`; `not_found` and `duplicate` where a look-up says so.",
        do="`unreachable`, `timeout`, `unavailable`: the Platform or the way there. `credentials`: the service user. `permission`, `not_exposed`: `delinea-adapter check`.",
        runbook="platformnotreached",
        traces=FAILED,
        stacked=True,
        width=10,
    ),
    Panel(
        title="Which calls are made?",
        kind="timeseries",
        queries=[(f"sum by (method) (rate(platform_calls_total{{{OF}}}[$__rate_interval]))", "{{method}}")],
        unit="cps",
        normal="look-ups and changes of users; lists while a comparison is made.",
        do="one call far above the others without changes in Entra: somebody retries, or a comparison is repairing.",
        runbook="how-fast-the-platform-is-called",
        traces=CALLS,
        stacked=True,
        width=10,
    ),
    Panel(
        title="How long do calls take?",
        kind="timeseries",
        queries=[
            (
                f"histogram_quantile(0.5, sum by (le, method) (rate(platform_call_duration_seconds_bucket{{{OF}}}[$__rate_interval])))",
                "half of {{method}}",
            ),
            (
                f"histogram_quantile(0.95, sum by (le, method) (rate(platform_call_duration_seconds_bucket{{{OF}}}[$__rate_interval])))",
                "95 % of {{method}}",
            ),
        ],
        unit="s",
        normal="a tenth of a second to one; lists take longer.",
        do="four times as long as usual makes the adapter call less at once, by itself. Tell the vendor, with `platform.transaction` of a slow span.",
        runbook="platformnotreached",
        traces=SLOW,
        yellow=2.5,
        red=10,
        width=12,
    ),
    Panel(
        title="Which calls fail, and how?",
        kind="table",
        queries=[(f'sum by (scim_tenant, method, outcome) (increase(platform_calls_total{{{OF}, outcome!="ok"}}[$__range])) > 0', "")],
        unit="short",
        normal="`not_found` and `duplicate`, where a look-up says so.",
        do="look at a trace of it: the span has the status and the Platform's transaction id.",
        runbook="common-refusals",
        traces=FAILED,
        yellow=1,
        none="no call has failed",
        width=12,
    ),
]

PACE = [
    Panel(
        title="How many calls a second may go out?",
        kind="timeseries",
        queries=[
            (f"sum by (scim_tenant) (platform_pace_rate{{{OF}}})", "{{scim_tenant}}: at most"),
            (f"sum by (scim_tenant) (rate(platform_calls_total{{{OF}}}[$__rate_interval]))", "{{scim_tenant}}: made"),
        ],
        unit="cps",
        normal="MAX_RPS (5); 0 is no limit. It is halved by a 429, and grows again within half a minute.",
        do="low for long: MAX_RPS is more than the tenant allows. Set it lower, it will be faster.",
        runbook="platformthrottled",
        traces=CALLS,
    ),
    Panel(
        title="How many calls may be under way at once?",
        kind="timeseries",
        queries=[(f"sum by (scim_tenant) (platform_pace_concurrency{{{OF}}})", "{{scim_tenant}}")],
        unit="short",
        normal="MAX_CONCURRENCY (4).",
        do="less: answers take much longer than usual, or do not come.",
        runbook="how-fast-the-platform-is-called",
        traces=SLOW,
    ),
    Panel(
        title="Why was the pace slowed down?",
        kind="timeseries",
        queries=[(f"sum by (scim_tenant, cause) (increase(platform_pace_slow_downs_total{{{OF}}}[$__rate_interval]))", "{{scim_tenant}}: {{cause}}")],
        unit="short",
        normal="now and then one, in an initial cycle.",
        do="`throttled` for an hour: lower MAX_RPS, or find who else uses the tenant's API. `latency`, `timeout`: the Platform is slow.",
        runbook="platformthrottled",
        traces=THROTTLED,
        yellow=1,
    ),
]

RIGHTS = [
    Panel(
        title="Does the Platform give tokens?",
        kind="timeseries",
        queries=[(f"sum by (scim_tenant, outcome) (increase(platform_token_renewals_total{{{OF}}}[$__rate_interval]))", "{{scim_tenant}}: {{outcome}}")],
        unit="short",
        normal="one `ok` for each adapter in 50 minutes at most.",
        do="`credentials`: the service user's secret has ended or was changed. Put the new one into its file, it is read again.",
        runbook="platformcredentialsrefused",
        traces=TOKENS,
        yellow=10,
    ),
    Panel(
        title="When does the service user's secret end?",
        kind="stat",
        queries=[(f"min by (scim_tenant) (platform_secret_remaining_days{{{OF}}})", "{{scim_tenant}}")],
        unit="d",
        normal="more than thirty days.",
        do="set another one on the Platform, put it into PLATFORM_CLIENT_SECRET_FILE, and say when that one ends.",
        runbook="platformsecretendssoon",
        traces=TOKENS,
        yellow=30,
        red=7,
        falling=True,
        none="not known",
        width=4,
    ),
    Panel(
        title="Which calls does the tenant not let us make?",
        kind="table",
        queries=[(f'max by (scim_tenant, method, state) (platform_capability{{{OF}, state=~"denied|not_exposed"}}) == 1', "")],
        unit="none",
        normal="none on a tenant of today; on others something stands in for each (docs/platform.md).",
        do="`denied`: the service user lacks a right. `not_exposed`: the tenant has no such call. `delinea-adapter check` says what to do.",
        runbook="what-the-tenant-can-do",
        traces=FAILED,
        none="every call may be made",
        width=12,
    ),
    Panel(
        title="Were writes in doubt found to be done?",
        kind="timeseries",
        queries=[(f"sum by (method, outcome) (increase(platform_read_backs_total{{{OF}}}[$__rate_interval]))", "{{method}}: {{outcome}}")],
        unit="short",
        normal="none; after a time-out, `found`.",
        do="many `not_found`: the Platform shows writes late (READ_BACK_TIMEOUT).",
        runbook="platformnotreached",
        traces='{ resource.service.name =~ "delinea-adapter|all-in-one" && span.scim.tenant =~ "${tenant:pipe}" && span.platform.outcome = "uncertain" }',
        yellow=1,
    ),
    Panel(
        title="What does the Platform say that nobody understands?",
        kind="table",
        queries=[
            (f"sum by (scim_tenant, method) (platform_unknown_refusals_total{{{OF}}}) > 0", "refusals"),
            (f"sum by (scim_tenant, attribute) (platform_unmapped_attributes_total{{{OF}}}) > 0", "attributes without a field"),
        ],
        unit="short",
        normal="nothing.",
        do="a refusal: its text is in the audit trail; ERROR_MATCHERS_FILE can name it. An attribute: leave it out of Entra's mapping, or map it (docs/mapping.md).",
        runbook="common-refusals",
        traces=FAILED,
        yellow=1,
        none="nothing",
        width=16,
    ),
]

BOARD = Board(
    uid="scim-platform",
    title="SCIM Gateway: Platform",
    about="What the Platform answers, how fast it may be called, and what it does not let us do.",
    variables=[PLATFORM_TENANT],
    rows=[("What does it answer?", ANSWERS), ("How fast may it be called?", PACE), ("What may we do?", RIGHTS)],
)
