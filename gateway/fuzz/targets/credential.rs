//! The `Authorization` header of a SCIM request, and what a JWT in it says before anybody believes it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &[u8]| {
    if let Some(token) = gateway::fuzzing::credential(header) {
        assert!(!token.is_empty() && token.len() <= header.len());
        assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
    }
});
