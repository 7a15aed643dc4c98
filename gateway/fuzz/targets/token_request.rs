//! A request for an access token: header and form, as a client that nobody knows yet sends them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The first line is the header; the rest is the form.
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (header, form) = bytes.split_at(at);
    gateway::fuzzing::token_request(header, form.get(1..).unwrap_or_default());
});
