//! The figures that identity-service tells of itself. Names are dotted, units stand in the unit field, labels are bounded.

use std::sync::LazyLock;

use opentelemetry::{KeyValue, metrics::Counter};

use crate::{
    drift::Report,
    id::{Kind, Tenant},
    store::Brake,
};

struct Instruments {
    members_dropped: Counter<u64>,
    deliveries: Counter<u64>,
    braked: Counter<u64>,
    breaker_openings: Counter<u64>,
    comparisons: Counter<u64>,
    drift: Counter<u64>,
}

/// Instruments are made once, on first use, from whatever meter the process has by then.
static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter = service_runtime::meter("identity-service");
    Instruments {
        members_dropped: meter
            .u64_counter("scim.members.dropped_by_replace")
            .with_unit("{member}")
            .with_description(
                "Members taken out of a group by a replacement of its members: a PATCH `replace`, or a PUT.",
            )
            .build(),
        deliveries: meter
            .u64_counter("scim.deliveries")
            .with_unit("{delivery}")
            .with_description("Deliveries to the Platform by outcome: applied, later, refused, held, planned.")
            .build(),
        braked: meter
            .u64_counter("scim.brakes.held")
            .with_unit("{change}")
            .with_description("Changes that a brake held, by brake: removals, deactivations.")
            .build(),
        breaker_openings: meter
            .u64_counter("scim.platform.breaker.changes")
            .with_unit("{change}")
            .with_description(
                "Times that the circuit breaker opened, and that it closed again, by state: open, closed.",
            )
            .build(),
        comparisons: meter
            .u64_counter("scim.drift.comparisons")
            .with_unit("{comparison}")
            .with_description("Comparisons with the Platform by outcome: whole, alarm, failed.")
            .build(),
        drift: meter
            .u64_counter("scim.drift.differences")
            .with_unit("{difference}")
            .with_description(
                "What comparisons with the Platform found, by kind: changed, gone, member_missing, member_extra, foreign_member; and foreign_removed, repaired.",
            )
            .build(),
    }
});

/// Counts members that a `replace` took out.
pub(crate) fn members_dropped_by_replace(tenant: &Tenant, members: u64) {
    INSTRUMENTS
        .members_dropped
        .add(members, &[KeyValue::new("scim.tenant", tenant.to_string())]);
}

/// Counts a change that a brake held.
pub(crate) fn braked(tenant: &Tenant, brake: Brake) {
    INSTRUMENTS.braked.add(
        1,
        &[
            KeyValue::new("scim.tenant", tenant.to_string()),
            KeyValue::new("brake", brake.name()),
        ],
    );
}

/// Counts that the circuit breaker opened or closed.
pub(crate) fn breaker(tenant: &Tenant, open: bool) {
    INSTRUMENTS.breaker_openings.add(
        1,
        &[
            KeyValue::new("scim.tenant", tenant.to_string()),
            KeyValue::new("state", if open { "open" } else { "closed" }),
        ],
    );
}

/// Counts a delivery.
pub(crate) fn delivered(tenant: &Tenant, kind: Kind, outcome: &'static str) {
    INSTRUMENTS.deliveries.add(
        1,
        &[
            KeyValue::new("scim.tenant", tenant.to_string()),
            KeyValue::new("scim.resource.type", kind.name()),
            KeyValue::new("outcome", outcome),
        ],
    );
}

/// Counts a comparison with the Platform and what it found.
pub(crate) fn compared(tenant: &Tenant, report: &Report) {
    let tenant = KeyValue::new("scim.tenant", tenant.to_string());
    let outcome = if report.failure.is_some() {
        "failed"
    } else if report.alarms.is_empty() {
        "whole"
    } else {
        "alarm"
    };
    let of = |label: &'static str, value: &'static str| [tenant.clone(), KeyValue::new(label, value)];
    INSTRUMENTS.comparisons.add(1, &of("outcome", outcome));
    let counts = &report.counts;
    for (kind, count) in [
        ("changed", counts.changed),
        ("gone", counts.gone),
        ("member_missing", counts.members_missing),
        ("member_extra", counts.members_extra),
        ("foreign_member", counts.foreign_members),
        ("foreign_removed", counts.foreign_removed),
        ("repaired", counts.repaired),
    ] {
        INSTRUMENTS.drift.add(count, &of("kind", kind));
    }
}
