//! The body of a POST or PUT: canonical form is a fixed point, whatever it was made of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::{Schemas, canonicalize};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let schemas = Schemas::builtin();
    for table in [schemas.user(), schemas.group()] {
        if let Ok(once) = canonicalize(table, body.clone()) {
            assert_eq!(canonicalize(table, once.clone()), Ok(once));
        }
    }
});
