//! Who asks, as a call to identity-service says it: metadata that goes into the audit trail with what was asked for. All of it
//! is optional, and the words are the caller's own: identity-service believes whom it lets call.

/// The name of the SCIM credential.
pub const CREDENTIAL: &str = "scim-origin-credential";
/// The id of the SCIM request.
pub const REQUEST_ID: &str = "scim-origin-request-id";
/// The SCIM client's own id of its request.
pub const CLIENT_REQUEST_ID: &str = "scim-origin-client-request-id";
/// The SCIM client's id of what the request belongs to.
pub const CORRELATION_ID: &str = "scim-origin-correlation-id";

/// How long a value may be, in bytes.
pub const LONGEST: usize = 128;

/// Whether a value may stand in the audit trail: it is short and of printable ASCII alone.
pub fn is_usable(value: &[u8]) -> bool {
    (1..=LONGEST).contains(&value.len()) && value.iter().all(|byte| (b' '..=b'~').contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_short_and_printable_is_usable() {
        for value in ["a", "7d0f-1 (x)", &"x".repeat(LONGEST)] {
            assert!(is_usable(value.as_bytes()), "{value}");
        }
        for value in ["", "a\nb", "é", "\u{7f}", &"x".repeat(LONGEST + 1)] {
            assert!(!is_usable(value.as_bytes()), "{value:?}");
        }
    }
}
