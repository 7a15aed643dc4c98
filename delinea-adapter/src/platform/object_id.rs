//! Which interface of the Platform an object is reached by. An id says so by itself, wherever it is kept: one of the
//! Platform's own SCIM endpoint begins with `scim:`, any other is of the RPC calls. Nobody has shown that an object has the
//! same id in both, so an id of one is never sent to the other.

/// How an id of the SCIM endpoint begins, outside this module and the endpoint's own.
const SCIM: &str = "scim:";

/// An interface that objects are read and written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Backend {
    /// The RPC calls below `identity_base_path`.
    Rpc,
    /// The Platform's own SCIM endpoint.
    Scim,
}

impl Backend {
    /// The interface that an id is of, and the id as that interface has it.
    pub(crate) fn of(id: &str) -> (Self, &str) {
        match id.strip_prefix(SCIM) {
            Some(id) => (Self::Scim, id),
            None => (Self::Rpc, id),
        }
    }

    /// The id as it is kept.
    pub(crate) fn kept(self, id: &str) -> String {
        match self {
            Self::Rpc => id.to_owned(),
            Self::Scim => format!("{SCIM}{id}"),
        }
    }

    /// Its name in links, findings and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rpc => "rpc",
            Self::Scim => "scim",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_whose_it_is() {
        for (kept, backend, id) in [
            ("5ca1ab1e-1", Backend::Rpc, "5ca1ab1e-1"),
            ("scim:5ca1ab1e-1", Backend::Scim, "5ca1ab1e-1"),
            ("scim:", Backend::Scim, ""),
            ("", Backend::Rpc, ""),
        ] {
            assert_eq!(Backend::of(kept), (backend, id));
            assert_eq!(backend.kept(id), kept);
        }
    }
}
