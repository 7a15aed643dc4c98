//! The path of a PATCH, and lists of attributes, as text: what parses prints and reads back as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::{AttrPath, Path, Projection, Schemas, SortBy};
use serde_json::json;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let schemas = Schemas::builtin();
    if let Ok(path) = Path::parse(text) {
        assert_eq!(Path::parse(&path.to_string()).as_ref(), Ok(&path));
        for table in [schemas.user(), schemas.group()] {
            let _ = table.resolve(&path.attr);
        }
    }
    if let Ok(path) = AttrPath::parse(text) {
        assert_eq!(AttrPath::parse(&path.to_string()), Ok(path));
    }
    let mut user = json!({"userName": "odile", "emails": [{"type": "work", "value": "odile@kestrel.example"}]});
    if let Ok(sort) = SortBy::parse(schemas.user(), text) {
        let _ = sort.key(&user);
    }
    if let Ok(projection) = Projection::parse(Some(text), None) {
        projection.apply(schemas.user(), &mut user);
    }
});
