"""From the change to the Platform: how many deliveries, how they end, how long they take, and what waits."""

from .panels import TENANT, Board, Panel

OF = 'scim_tenant=~"$tenant"'
ALL = '{ name = "deliver" && span.scim.tenant =~ "${tenant:pipe}" }'
REFUSED = '{ name = "deliver" && span.scim.tenant =~ "${tenant:pipe}" && span.delivery.outcome = "refused" }'
LATER = '{ name = "deliver" && span.scim.tenant =~ "${tenant:pipe}" && span.delivery.outcome = "later" }'
HELD = '{ name = "deliver" && span.scim.tenant =~ "${tenant:pipe}" && span.delivery.outcome = "held" }'
LISTS = '{ resource.service.name =~ "delinea-adapter|all-in-one" && name =~ ".*/ListPlatform.*" }'
MEMBERS = '{ resource.service.name =~ "identity-service|all-in-one" && name =~ ".*GroupService/(Patch|Replace)Group" }'


def delay(share):
    return f"histogram_quantile({share}, sum by (le, scim_resource_type) (rate(scim_delivery_delay_seconds_bucket{{{OF}}}[$__rate_interval])))"


ENDS = [
    Panel(
        title="How do deliveries end?",
        kind="timeseries",
        queries=[(f"sum by (outcome) (rate(scim_deliveries_total{{{OF}}}[$__rate_interval]))", "{{outcome}}")],
        unit="ops",
        normal="`applied`; a few `later`, which are tried again by themselves.",
        do="`refused`: the reasons are in the next panel. `held`: a brake. Mostly `later`: the Platform is away or does not let us in.",
        runbook="what-a-deliverys-state-means",
        traces=ALL,
        stacked=True,
    ),
    Panel(
        title="For which reasons was something not applied?",
        kind="table",
        queries=[
            (
                f'sum by (scim_tenant, outcome, reason) (increase(scim_deliveries_total{{{OF}, outcome!="applied"}}[$__range])) > 0',
                "",
            )
        ],
        unit="short",
        normal="nothing, or `PLATFORM_UNAVAILABLE` and `PLATFORM_THROTTLED` that end by themselves.",
        do="each reason has its row in *Common refusals*. Once its cause is gone, `admin retry`.",
        runbook="common-refusals",
        traces=REFUSED,
        yellow=1,
        none="everything was applied",
    ),
    Panel(
        title="How long does a change take to reach the Platform?",
        kind="timeseries",
        queries=[
            (delay(0.5), "half of {{scim_resource_type}}"),
            (delay(0.95), "95 % of {{scim_resource_type}}"),
            (delay(0.99), "99 % of {{scim_resource_type}}"),
        ],
        unit="s",
        normal="a second or two; groups two seconds more, in which members are gathered. In an initial cycle as long as the backlog.",
        do="more: is the Platform slow or throttling (Platform dashboard), is much waiting?",
        runbook="changeswait",
        traces='{ name = "deliver" && span.scim.tenant =~ "${tenant:pipe}" && duration > 5s }',
        yellow=60,
        red=900,
    ),
]

WAITS = [
    Panel(
        title="How old is the oldest change of each state?",
        kind="timeseries",
        queries=[(f"max by (scim_tenant, state) (scim_outbox_oldest_age_seconds{{{OF}}})", "{{scim_tenant}}: {{state}}")],
        unit="s",
        normal="`pending` below a minute. `refused` and `held` grow until somebody decides.",
        do="`admin pending`, `admin refused`, `admin held`: what, since when, and why.",
        runbook="leaverswait",
        traces=LATER,
        yellow=900,
        red=3600,
    ),
    Panel(
        title="How many changes are in each state?",
        kind="timeseries",
        queries=[(f"max by (scim_tenant, state) (scim_outbox_items{{{OF}}})", "{{scim_tenant}}: {{state}}")],
        unit="short",
        normal="hills of `pending` that are worked off; nothing `refused` or `held`.",
        do="`refused`: settle the reason, then `admin retry`. `held`: was it meant? `planned`: DRY_RUN is on.",
        runbook="changesrefused",
        traces=ALL,
        stacked=True,
    ),
    Panel(
        title="What do the brakes hold?",
        kind="timeseries",
        queries=[(f"sum by (scim_tenant, brake) (increase(scim_brakes_held_total{{{OF}}}[$__rate_interval]))", "{{scim_tenant}}: {{brake}}")],
        unit="short",
        normal="nothing.",
        do="*deactivations* at once: people who left still get in. Was it meant: `admin release`. Was it an accident: mend its cause in Entra first.",
        runbook="when-a-brake-comes-on",
        traces=HELD,
        red=1,
    ),
    Panel(
        title="Is a tenant paused, in a dry run, or braked?",
        kind="timeseries",
        queries=[
            (f"max by (scim_tenant) (scim_tenant_paused{{{OF}}})", "{{scim_tenant}}: paused"),
            (f"max by (scim_tenant) (scim_tenant_dry_run{{{OF}}})", "{{scim_tenant}}: dry run"),
            (f"max by (scim_tenant, brake) (scim_brake_engaged{{{OF}}})", "{{scim_tenant}}: {{brake}}"),
        ],
        unit="bool_yes_no",
        normal="no.",
        do="`admin status` tells who paused it, when and why. Nobody who leaves is disabled meanwhile.",
        runbook="tenantpaused",
        traces=ALL,
        red=1,
    ),
    Panel(
        title="Did a replacement take members out of groups?",
        kind="timeseries",
        queries=[(f"sum by (scim_tenant) (increase(scim_members_dropped_by_replace_total{{{OF}}}[$__rate_interval]))", "{{scim_tenant}}")],
        unit="short",
        normal="nothing: Entra adds and removes, and replaces no list of members.",
        do="some clients send the whole list, and mean it; others send a part and mean to add: MEMBERS_REPLACE.",
        runbook="members-left-with-a-replace",
        traces=MEMBERS,
        yellow=1,
    ),
    Panel(
        title="How many users and groups are there?",
        kind="timeseries",
        queries=[(f"max by (scim_tenant, scim_resource_type) (scim_resources{{{OF}}})", "{{scim_tenant}}: {{scim_resource_type}}")],
        unit="short",
        normal="as many as are assigned to the application in Entra.",
        do="a cliff downwards is an emptied scope: look at the brakes.",
        runbook="when-a-brake-comes-on",
        traces=ALL,
    ),
]

DIFFERS = [
    Panel(
        title="What did the last comparison find?",
        kind="timeseries",
        queries=[(f"max by (scim_tenant, kind) (scim_drift_found{{{OF}}})", "{{scim_tenant}}: {{kind}}")],
        unit="short",
        normal="nothing, or foreign members that are meant to be there.",
        do="`admin drift plan` tells each; `admin drift apply` sets it right.",
        runbook="when-the-platform-differs",
        traces=ALL,
        yellow=1,
        stacked=True,
    ),
    Panel(
        title="How do comparisons end?",
        kind="timeseries",
        queries=[(f"sum by (scim_tenant, outcome) (increase(scim_drift_comparisons_total{{{OF}}}[$__rate_interval]))", "{{scim_tenant}}: {{outcome}}")],
        unit="short",
        normal="one `whole` a day.",
        do="`alarm`: the Platform's list is not believed, and nothing is removed. `failed`: a list could not be read to its end; it is made again after ten minutes.",
        runbook="driftalarm",
        traces=LISTS,
    ),
    Panel(
        title="How long ago was the last comparison?",
        kind="stat",
        queries=[(f"time() - (max by (scim_tenant) (scim_drift_last_comparison_timestamp_seconds{{{OF}}}) > 0)", "{{scim_tenant}}")],
        unit="s",
        normal="less than a day (DRIFT_INTERVAL).",
        do="`admin drift plan` makes one, and tells why it comes to no end.",
        runbook="driftnotcompared",
        traces=LISTS,
        yellow=49 * 3600,
        red=7 * 24 * 3600,
        none="never",
    ),
]

BOARD = Board(
    uid="scim-delivery",
    title="SCIM Gateway: Delivery",
    about="What becomes of a change on its way to the Platform.",
    variables=[TENANT],
    rows=[("How do deliveries end?", ENDS), ("What waits?", WAITS), ("Does the Platform differ?", DIFFERS)],
)
