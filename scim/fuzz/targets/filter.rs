//! A filter, as text: what parses prints and reads back as itself, and can be checked and evaluated on anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::{Filter, Schemas, URN_ENTERPRISE_USER};
use serde_json::json;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(filter) = Filter::parse(text) else { return };
    assert_eq!(Filter::parse(&filter.to_string()).as_ref(), Ok(&filter));
    let schemas = Schemas::builtin();
    let user = json!({
        "id": "417",
        "userName": "odile",
        "active": true,
        "emails": [{"type": "work", "value": "odile@kestrel.example", "primary": true}],
        "meta": {"created": "2026-11-23T10:00:00Z"},
        URN_ENTERPRISE_USER: {"employeeNumber": "K-0417", "manager": {"value": "7"}},
    });
    let not = Filter::Not(Box::new(filter.clone()));
    for table in [schemas.user(), schemas.group()] {
        let _ = filter.check(table);
        let _ = filter.restrict(table);
        assert_ne!(filter.matches(table, &user), not.matches(table, &user));
    }
});
