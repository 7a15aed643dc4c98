//! Passwords that the Platform makes, by its own policy.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    super::failure::{Class, Failure},
    Rpc,
};

const GENERATE_PASSWORD: &str = "Core/GeneratePassword";

impl Rpc {
    /// A new password of so many characters.
    pub(crate) async fn generate_password(&self, length: u16) -> Result<SecretString, Failure> {
        let body = json!({"passwordLength": length});
        match self.client.call(GENERATE_PASSWORD, &body).await? {
            Value::String(password) if !password.trim().is_empty() => Ok(SecretString::from(password)),
            _ => Err(Failure::refused(GENERATE_PASSWORD, Class::Other, "no password came")),
        }
    }
}
