//! The figures that identity-service tells of itself. Names are dotted, units stand in the unit field, labels are bounded.

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use proto::error::ErrorReason;

use crate::{
    drift::{Counts, Report},
    id::{Kind, Tenant},
    store::{Brake, Claim},
};

/// Boundaries in seconds: a change is delivered in a part of one when all is well, and after days when a person had to act.
const DELAYS: [f64; 12] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0,
];

/// The outcomes that have no reason.
const PLAIN: [&str; 3] = ["applied", "held", "planned"];
/// Why deliveries are made later, as far as that is usual.
const LATER: [ErrorReason; 6] = [
    ErrorReason::PlatformUnavailable,
    ErrorReason::PlatformThrottled,
    ErrorReason::PlatformUncertain,
    ErrorReason::PlatformCredentials,
    ErrorReason::Contention,
    ErrorReason::UnknownTenant,
];
/// Why deliveries are refused, as far as that is usual.
const REFUSED: [ErrorReason; 6] = [
    ErrorReason::PlatformRefused,
    ErrorReason::PlatformObjectExists,
    ErrorReason::PlatformAmbiguous,
    ErrorReason::PlatformProtected,
    ErrorReason::PlatformNotExposed,
    ErrorReason::DirectoryPolicy,
];
/// A reason that is none of the contract's: another service's version may know more of them.
const OTHER: &str = "OTHER";

struct Instruments {
    members_dropped: Counter<u64>,
    deliveries: Counter<u64>,
    delay: Histogram<f64>,
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
            .with_description(
                "Deliveries to the Platform by outcome: applied, later, refused, held, planned; and why they were made later or refused.",
            )
            .build(),
        delay: meter
            .f64_histogram("scim.delivery.delay")
            .with_unit("s")
            .with_boundaries(DELAYS.to_vec())
            .with_description("From the oldest change that a delivery brings to its outcome.")
            .build(),
        braked: meter
            .u64_counter("scim.brakes.held")
            .with_unit("{change}")
            .with_description("Changes that a brake held, by brake: removals, deactivations, alarm.")
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

/// Counts a delivery, and how long ago the change was made that it was about.
pub(crate) fn delivered(claim: &Claim, outcome: &'static str, reason: Option<&str>, took: Duration) {
    let reason = reason.map_or("", |reason| {
        ErrorReason::from_name(reason).map_or(OTHER, ErrorReason::name)
    });
    let [tenant, kind, outcome] = [
        KeyValue::new("scim.tenant", claim.tenant.to_string()),
        KeyValue::new("scim.resource.type", claim.kind.name()),
        KeyValue::new("outcome", outcome),
    ];
    let delay = took.as_secs_f64();
    INSTRUMENTS
        .delay
        .record(delay, &[tenant.clone(), kind.clone(), outcome.clone()]);
    INSTRUMENTS
        .deliveries
        .add(1, &[tenant, kind, outcome, KeyValue::new("reason", reason)]);
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
    for (kind, count) in drift_kinds(&report.counts) {
        INSTRUMENTS.drift.add(count, &of("kind", kind));
    }
}

/// How much a comparison found of each kind.
pub(crate) fn drift_kinds(counts: &Counts) -> [(&'static str, u64); 7] {
    [
        ("changed", counts.changed),
        ("gone", counts.gone),
        ("member_missing", counts.members_missing),
        ("member_extra", counts.members_extra),
        ("foreign_member", counts.foreign_members),
        ("foreign_removed", counts.foreign_removed),
        ("repaired", counts.repaired),
    ]
}

/// Has what is counted of a tenant begin at 0, so that the first of each can be told from none.
pub(crate) fn begin(tenant: &Tenant) {
    let tenant = KeyValue::new("scim.tenant", tenant.to_string());
    let of = |label: &'static str, value: &'static str| [tenant.clone(), KeyValue::new(label, value)];
    let Instruments {
        members_dropped,
        deliveries,
        delay: _,
        braked,
        breaker_openings,
        comparisons,
        drift,
    } = &*INSTRUMENTS;
    members_dropped.add(0, std::slice::from_ref(&tenant));
    let later = LATER.map(|reason| ("later", reason.name()));
    let refused = REFUSED.map(|reason| ("refused", reason.name()));
    let outcomes = PLAIN
        .map(|outcome| (outcome, ""))
        .into_iter()
        .chain(later)
        .chain(refused);
    for (outcome, reason) in outcomes {
        for kind in Kind::ALL {
            let [tenant, outcome] = of("outcome", outcome);
            let kind = KeyValue::new("scim.resource.type", kind.name());
            deliveries.add(0, &[tenant, kind, outcome, KeyValue::new("reason", reason)]);
        }
    }
    for brake in Brake::ALL {
        braked.add(0, &of("brake", brake.name()));
    }
    for state in ["open", "closed"] {
        breaker_openings.add(0, &of("state", state));
    }
    for outcome in ["whole", "alarm", "failed"] {
        comparisons.add(0, &of("outcome", outcome));
    }
    for (kind, none) in drift_kinds(&Counts::default()) {
        drift.add(none, &of("kind", kind));
    }
}
