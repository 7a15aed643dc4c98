//! The body of a PATCH: steps read back as themselves, give canonical form, and are done once when they are done twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::{PatchRequest, Schemas, Step, URN_ENTERPRISE_USER, apply, canonicalize, member_target, steps};
use serde_json::{Value, json};

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let Ok(request) = PatchRequest::from_json(body) else {
        return;
    };
    let schemas = Schemas::builtin();
    let before = json!({
        "userName": "odile",
        "displayName": "Odile",
        "title": "Rack technician",
        "emails": [{"type": "work", "value": "odile@kestrel.example", "primary": true}],
        "members": [{"value": "7"}],
        URN_ENTERPRISE_USER: {"department": "Halls", "manager": {"value": "7"}},
    });
    for table in [schemas.user(), schemas.group()] {
        let Ok(first) = steps(table, request.operations.clone()) else {
            continue;
        };
        let printed = |steps: &[Step]| steps.iter().map(Step::to_operation).collect::<Vec<_>>();
        let again = steps(table, printed(&first)).expect("printed steps read back");
        assert_eq!(printed(&again), printed(&first));
        for step in &first {
            let _ = member_target(step);
        }
        let before = canonicalize(table, before.clone()).expect("the resource is a valid one");
        let Ok(after) = apply(table, before, &first) else {
            continue;
        };
        assert_eq!(canonicalize(table, after.clone()), Ok(after.clone()));
        if request.operations.len() == 1 {
            assert_eq!(apply(table, after.clone(), &first), Ok(after));
        }
    }
});
