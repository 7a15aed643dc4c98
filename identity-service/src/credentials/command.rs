//! `identity-service token`: makes a bearer token and the hash that goes into settings. Nothing is kept.

use std::{
    error::Error,
    io::{self, Write},
};

use clap::Command;
use secrecy::ExposeSecret;

use super::secret::{SecretHash, new_token};

/// The command's name.
pub(crate) const NAME: &str = "token";

pub(crate) fn command() -> Command {
    Command::new(NAME).about("Make a bearer token, and its hash for BEARER_TOKEN_SHA256; nothing is kept")
}

/// Writes both to standard output.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let token = new_token();
    let (hash, token) = (SecretHash::of(&token), token.expose_secret());
    Ok(write!(io::stdout().lock(), "token   {token}\nsha256  {hash}\n")?)
}
