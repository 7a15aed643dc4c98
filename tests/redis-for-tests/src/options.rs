//! How a server differs from one that keeps nothing on disk and lets everybody in.

use std::fmt::Write;

/// How a server differs from one that keeps nothing on disk and lets everybody in.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Keep an append-only file, and write it through so often.
    pub appendfsync: Option<Appendfsync>,
    /// The only user that the server lets in; he may do everything.
    pub user: Option<User>,
    /// Talk TLS, and nothing else, with a certificate for `127.0.0.1` and `localhost` by an authority of its own. A client
    /// may show a certificate of the same authority.
    pub tls: bool,
    /// Further lines of its configuration; they win over those that the other options stand for.
    pub settings: Vec<String>,
}

/// When the append-only file is written through to the disk.
#[derive(Clone, Copy, Debug)]
pub enum Appendfsync {
    /// Before a write is answered.
    Always,
    /// Every second.
    Everysec,
    /// When the system likes.
    No,
}

/// Who may come in.
#[derive(Clone, Debug)]
pub struct User {
    /// His name, without characters that mean something in a URL.
    pub name: String,
    /// His password, without such characters too.
    pub password: String,
}

impl Options {
    /// One that keeps an append-only file.
    pub fn durable(appendfsync: Appendfsync) -> Self {
        Self {
            appendfsync: Some(appendfsync),
            ..Self::default()
        }
    }

    /// One with these further lines of its configuration.
    pub fn settings(lines: &[&str]) -> Self {
        Self {
            settings: lines.iter().map(|line| (*line).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// As lines of `redis.conf`, all but address and TLS.
    pub(crate) fn config(&self) -> String {
        // Replicas begin at once, not when others might have come too.
        let mut config = "save \"\"\nrepl-diskless-sync yes\nrepl-diskless-sync-delay 0\n".to_owned();
        match self.appendfsync {
            None => config.push_str("appendonly no\n"),
            Some(appendfsync) => {
                let policy = match appendfsync {
                    Appendfsync::Always => "always",
                    Appendfsync::Everysec => "everysec",
                    Appendfsync::No => "no",
                };
                write!(config, "appendonly yes\nappendfsync {policy}\n").unwrap();
            }
        }
        if let Some(User { name, password }) = &self.user {
            write!(config, "user default off\nuser {name} on >{password} ~* &* +@all\n").unwrap();
            write!(config, "masteruser {name}\nmasterauth {password}\n").unwrap();
        }
        for line in &self.settings {
            writeln!(config, "{line}").unwrap();
        }
        config
    }
}
