//! One keep-alive connection with one request in flight, as each of Entra's workers has. It knows HTTP and the bearer
//! token; it must not know what is sent, or when an answer is right.
//!
//! hyper's own connection, without a pool: the generator shares the machine with what it measures, so each request shall
//! cost little.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub addr: SocketAddr,
    /// What every path begins with, without a slash at its end.
    pub base: String,
    /// The bearer token, if one is asked for.
    pub token: Option<String>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, after the base.
    pub path: String,
    /// The body; empty for none.
    pub body: Bytes,
}

impl Request {
    /// A GET.
    pub fn get(path: String) -> Self {
        Self::new(Method::GET, path, Bytes::new())
    }

    /// Any request.
    pub fn new(method: Method, path: String, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { method, path, body }
    }
}

/// What came back, all of it.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

/// A connection, which is made when it is needed.
#[derive(Debug)]
pub struct Connection {
    target: Target,
    authorization: Option<String>,
    host: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Target {
    /// So many connections, all of them made.
    pub async fn open(&self, count: usize) -> Result<Vec<Connection>> {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            let mut connection = Connection::new(self);
            connection.sender = Some(connection.connect().await?);
            connections.push(connection);
        }
        Ok(connections)
    }
}

impl Connection {
    /// A connection to this target.
    pub fn new(target: &Target) -> Self {
        Self {
            authorization: target.token.as_ref().map(|token| format!("Bearer {token}")),
            host: target.addr.to_string(),
            target: target.clone(),
            sender: None,
        }
    }

    /// Sends a request and reads the whole answer. After an error the next request makes a new connection.
    pub async fn send(&mut self, request: Request) -> Result<Answer> {
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await.context("the connection was closed")?;
        let mut message = http::Request::builder()
            .method(request.method)
            .uri(format!("{}{}", self.target.base, request.path))
            .header(header::HOST, &self.host);
        if let Some(authorization) = &self.authorization {
            message = message.header(header::AUTHORIZATION, authorization);
        }
        // As Entra: a GET has no content type.
        if !request.body.is_empty() {
            message = message.header(header::CONTENT_TYPE, "application/scim+json; charset=utf-8");
        }
        let answer = sender.send_request(message.body(Full::new(request.body))?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer { status, body })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.target.addr).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error reaches whoever waits for an answer.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}
