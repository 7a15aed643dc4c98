//! The body of a write, from its bytes to the messages of the contract: whatever it is, it is refused with a reason or read.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    gateway::fuzzing::body(bytes);
});
