//! Who asks, for the audit trail of identity-service: the credential's name, and the ids by which the SCIM client and we know
//! the request. What a client says of itself goes along as it is, or, where it is too long or not printable, not at all.

use std::sync::Arc;

use axum::extract::Request;
use http::HeaderValue;
use proto::origin::{CLIENT_REQUEST_ID, CORRELATION_ID, CREDENTIAL, REQUEST_ID, is_usable};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// The headers that name the client's own id of its request, and what the request belongs to: those by which Microsoft's
/// services call them. The first usable one counts.
const HEADERS: [(&str, &[&str]); 2] = [
    (CLIENT_REQUEST_ID, &["client-request-id", "x-ms-client-request-id"]),
    (
        CORRELATION_ID,
        &[
            "x-ms-correlation-id",
            "x-ms-correlation-request-id",
            "request-id",
            "x-ms-request-id",
        ],
    ),
];

/// The id that a request has in our log and in its answer.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) HeaderValue);

/// Who asks. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin(Arc<[(&'static str, MetadataValue<Ascii>)]>);

impl Origin {
    /// Who sent a request with a credential of that name.
    pub(crate) fn of(request: &Request, credential: &str) -> Self {
        let mut parts = Vec::new();
        let mut tell = |name, value: &[u8]| {
            let value = is_usable(value).then(|| MetadataValue::try_from(value));
            let value = value.and_then(Result::ok);
            let told = value.is_some();
            parts.extend(value.map(|value| (name, value)));
            told
        };
        tell(CREDENTIAL, credential.as_bytes());
        if let Some(RequestId(id)) = request.extensions().get() {
            tell(REQUEST_ID, id.as_bytes());
        }
        for (name, headers) in HEADERS {
            let mut given = headers.iter().filter_map(|header| request.headers().get(*header));
            given.any(|value| tell(name, value.as_bytes()));
        }
        Self(parts.into())
    }

    /// What is said under that name.
    pub(crate) fn part(&self, name: &str) -> Option<&str> {
        let part = self.0.iter().find(|(part, _)| *part == name);
        part.and_then(|(_, value)| value.to_str().ok())
    }

    /// Says it with a call.
    pub(crate) fn put(&self, metadata: &mut MetadataMap) {
        for (name, value) in self.0.iter() {
            metadata.insert(*name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn said(headers: &[(&str, &[u8])]) -> Vec<(String, String)> {
        let mut request = Request::new(Body::empty());
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request
                .headers_mut()
                .append(name, HeaderValue::from_bytes(value).unwrap());
        }
        request
            .extensions_mut()
            .insert(RequestId(HeaderValue::from_static("r-1")));
        let mut metadata = MetadataMap::new();
        Origin::of(&request, "bearer-0a1b2c3d").put(&mut metadata);
        let headers = metadata.into_headers();
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect()
    }

    #[test]
    fn what_a_client_says_of_itself_goes_along_where_it_is_usable() {
        let own = [
            (CREDENTIAL.to_owned(), "bearer-0a1b2c3d".to_owned()),
            (REQUEST_ID.to_owned(), "r-1".to_owned()),
        ];
        assert_eq!(said(&[]), own);
        let long = [b'x'; proto::origin::LONGEST + 1];
        assert_eq!(
            said(&[("client-request-id", &long), ("request-id", "é".as_bytes())]),
            own
        );
        let told = said(&[
            ("x-ms-client-request-id", b"second"),
            ("Client-Request-Id", b"first"),
            ("x-ms-correlation-id", &long),
            ("request-id", b"|1.2."),
        ]);
        let both = [
            (CLIENT_REQUEST_ID.to_owned(), "first".to_owned()),
            (CORRELATION_ID.to_owned(), "|1.2.".to_owned()),
        ];
        assert_eq!(told, [own, both].concat());
    }
}
