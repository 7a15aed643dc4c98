//! A bulk request: every operation is answered once, whatever it refers to and however it ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::{Bulk, BulkOutcome, Schemas};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    // The first byte says which calls fail.
    let Some((&failing, bytes)) = bytes.split_first() else {
        return;
    };
    let Ok(body) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let ends = body
        .as_object()
        .is_some_and(|body| body.keys().any(|key| key.eq_ignore_ascii_case("failOnErrors")));
    let Ok(mut bulk) = Bulk::read(body, &Schemas::builtin(), 100) else {
        return;
    };
    let mut served = 0_u32;
    while let Some(call) = bulk.next_call() {
        served += 1;
        assert!(served <= 200, "an operation is served at most twice");
        let fails = failing >> (served % 8) & 1 == 1;
        let outcome = BulkOutcome {
            status: if fails { 409 } else { 201 },
            id: (!fails).then(|| served.to_string()),
            ..BulkOutcome::default()
        };
        bulk.settle(&call, outcome);
    }
    for (at, result) in bulk.results().into_iter().enumerate() {
        assert!(ends || result.outcome.status != 0, "operation {at} has an outcome");
        result.into_json(None);
    }
});
