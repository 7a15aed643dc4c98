//! A plain client for the tests: what it sends is written out, and what comes back is checked to be SCIM.

use http::HeaderName;
use serde_json::{Value, json};
use service_runtime::Running;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request as a client writes it: `METHOD /path`, headers, a body.
pub(super) struct Ask<'a> {
    line: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

pub(super) fn ask(line: &str) -> Ask<'_> {
    Ask {
        line,
        headers: vec![("Authorization", "Bearer dsg_test")],
        body: b"",
    }
}

impl<'a> Ask<'a> {
    pub(super) fn body(mut self, body: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.body = body.as_ref();
        self.with("Content-Type", "application/scim+json; charset=utf-8")
    }

    pub(super) fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name, value));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub(super) async fn of(self, running: &Running) -> Answer {
        self.over(TcpStream::connect(running.addr).await.unwrap()).await
    }

    /// The answer over a connection that is there already, and ends with it.
    pub(super) async fn over(self, socket: impl AsyncRead + AsyncWrite) -> Answer {
        let mut request = format!("{} HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n", self.line).into_bytes();
        for (name, value) in &self.headers {
            request.extend(format!("{name}: {value}\r\n").bytes());
        }
        if !self.body.is_empty() {
            request.extend(format!("Content-Length: {}\r\n", self.body.len()).bytes());
        }
        request.extend(b"\r\n");
        request.extend(self.body);
        let (mut reader, mut writer) = tokio::io::split(socket);
        let mut bytes = Vec::new();
        // A refused body is not read to its end, so writing it may fail; the answer is there all the same.
        let (_, read) = tokio::join!(writer.write_all(&request), reader.read_to_end(&mut bytes));
        assert!(read.is_ok() || !bytes.is_empty(), "no answer to {}", self.line);
        Answer::parse(&bytes)
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    headers: http::HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("an answer has a head");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        Self {
            status,
            headers: headers.collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/scim+json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks that this is a SCIM error through and through, and gives its `scimType` and `detail`.
    pub(super) fn error(&self, status: u16) -> (Option<String>, String) {
        let body = self.json();
        assert_eq!(self.status, status, "{body}");
        assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!(body["status"], json!(status.to_string()));
        assert!(body.get("scimType").is_none_or(Value::is_string), "{body}");
        let detail = body["detail"].as_str().unwrap();
        assert!(!detail.is_empty());
        (body["scimType"].as_str().map(str::to_owned), detail.to_owned())
    }
}
