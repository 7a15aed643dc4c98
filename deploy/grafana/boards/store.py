"""identity-service's store: every answer to Entra waits for it."""

from .panels import INSTANCE, TENANT, Board, Panel

STORE_INSTANCE = (INSTANCE[0], INSTANCE[1], "label_values(db_client_operation_duration_seconds_count, instance)")
OF = 'instance=~"$instance"'
COUNT = f"db_client_operation_duration_seconds_count{{{OF}}}"
BUCKET = f"db_client_operation_duration_seconds_bucket{{{OF}}}"
ERRORS = f'db_client_operation_duration_seconds_count{{{OF}, error_type!=""}}'

IDENTITY = 'resource.service.name =~ "identity-service|all-in-one"'
STEPS = f"{{ {IDENTITY} && span.db.system.name != nil }}"
SLOW = f"{{ {IDENTITY} && span.db.system.name != nil && duration > 100ms }}"
FAILED = f"{{ {IDENTITY} && span.db.system.name != nil && status = error }}"
DELIVERIES = '{ name = "deliver" && span.scim.tenant =~ "${tenant:pipe}" }'

QUICK = [
    Panel(
        title="How long does a step of the store take?",
        kind="timeseries",
        queries=[
            (f"histogram_quantile(0.5, sum by (le, db_system_name) (rate({BUCKET}[$__rate_interval])))", "{{db_system_name}}: half"),
            (f"histogram_quantile(0.95, sum by (le, db_system_name) (rate({BUCKET}[$__rate_interval])))", "{{db_system_name}}: 95 %"),
            (f"histogram_quantile(0.99, sum by (le, db_system_name) (rate({BUCKET}[$__rate_interval])))", "{{db_system_name}}: 99 %"),
        ],
        unit="s",
        normal="a millisecond; a write of the embedded store as long as the disk's fsync.",
        do="embedded: what else uses the disk? Redis: `SLOWLOG GET`, `LATENCY DOCTOR`, its memory, its fsync.",
        runbook="storeslow",
        traces=SLOW,
        yellow=0.1,
        red=0.5,
    ),
    Panel(
        title="Which steps are slow?",
        kind="timeseries",
        queries=[
            (f"histogram_quantile(0.95, sum by (le, db_operation_name) (rate({BUCKET}[$__rate_interval])))", "{{db_operation_name}}"),
        ],
        unit="s",
        normal="all of them alike; lists and large groups take longer.",
        do="one alone: a trace of it shows who asks, and for what.",
        runbook="storeslow",
        traces=SLOW,
        yellow=0.1,
        red=0.5,
    ),
    Panel(
        title="Do steps fail?",
        kind="timeseries",
        queries=[(f"sum by (db_system_name, db_operation_name, error_type) (rate({ERRORS}[$__rate_interval]))", "{{db_system_name}} {{db_operation_name}}: {{error_type}}")],
        unit="ops",
        normal="none, but for conflicts of two writers, which are read and computed again.",
        do="the disk is full or gone, or Redis does not answer: `/readyz` of identity-service names the store.",
        runbook="storefails",
        traces=FAILED,
        red=0.1,
        stacked=True,
    ),
]

BUSY = [
    Panel(
        title="How many steps are made?",
        kind="timeseries",
        queries=[(f"sum by (db_operation_name) (rate({COUNT}[$__rate_interval]))", "{{db_operation_name}}")],
        unit="ops",
        normal="some for each request, some for each delivery, and a few a second at rest.",
        do="many without requests: a comparison, an import, or a chore of a large group.",
        runbook="storeslow",
        traces=STEPS,
        stacked=True,
        width=12,
    ),
    Panel(
        title="For how much of the time is the store at work?",
        kind="timeseries",
        queries=[
            (
                f"sum by (instance, db_system_name) (rate(db_client_operation_duration_seconds_sum{{{OF}}}[$__rate_interval]))",
                "{{instance}} {{db_system_name}}",
            )
        ],
        unit="short",
        normal="a small part of 1; it is the number of steps that are under way at a time.",
        do="many at once while none is quick: the store is what everybody waits for.",
        runbook="storeslow",
        traces=SLOW,
        yellow=20,
        red=100,
        width=12,
    ),
]

HOLDS = [
    Panel(
        title="How many users and groups does it hold?",
        kind="timeseries",
        queries=[('max by (scim_tenant, scim_resource_type) (scim_resources{scim_tenant=~"$tenant"})', "{{scim_tenant}}: {{scim_resource_type}}")],
        unit="short",
        normal="as many as are assigned in Entra.",
        do="none, where there were many: another store, or an empty one (*After the store was lost*).",
        runbook="after-the-store-was-lost",
        traces=DELIVERIES,
        width=12,
    ),
    Panel(
        title="How much is waiting in it?",
        kind="timeseries",
        queries=[('max by (scim_tenant, state) (scim_outbox_items{scim_tenant=~"$tenant"})', "{{scim_tenant}}: {{state}}")],
        unit="short",
        normal="hills that are worked off.",
        do="see the Delivery dashboard.",
        runbook="changeswait",
        traces=DELIVERIES,
        stacked=True,
        width=12,
    ),
]

BOARD = Board(
    uid="scim-store",
    title="SCIM Gateway: Store",
    about="How quick is identity-service's store, and what does it hold?",
    variables=[STORE_INSTANCE, TENANT],
    rows=[("Is it quick?", QUICK), ("How busy is it?", BUSY), ("What does it hold?", HOLDS)],
)
