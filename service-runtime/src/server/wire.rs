//! A connection as bytes, with or without TLS, and the handshake where there is TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use opentelemetry::KeyValue;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;

use super::drain::Drain;
use crate::tls::{PeerCertificates, Tls};

/// Time for a handshake. It costs the client one or two round trips, and ours a signature.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes of one connection.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Shakes hands where there is TLS. `None` if nothing can come of the connection.
    pub(super) async fn over(stream: TcpStream, tls: Option<&Tls>, drain: &mut Drain) -> Option<Self> {
        let Some(tls) = tls else {
            return Some(Self::Plain(stream));
        };
        let shaken = tokio::select! {
            biased;
            shaken = timeout(HANDSHAKE_TIMEOUT, shake_hands(stream, tls)) => shaken,
            () = drain.silent_too_long() => return None,
        };
        let failure = match shaken {
            Ok(Ok(Some(stream))) => return Some(Self::Tls(Box::new(stream))),
            // The handshake was all that the client wanted.
            Ok(Ok(None)) => return None,
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Late,
        };
        failure.tell();
        None
    }

    /// Who the client is, by its certificates.
    pub(super) fn peer(&self) -> Option<PeerCertificates> {
        let Self::Tls(stream) = self else {
            return None;
        };
        let certificates = stream.get_ref().1.peer_certificates()?;
        let owned: Arc<[_]> = certificates.iter().map(|one| one.clone().into_owned()).collect();
        Some(PeerCertificates(owned))
    }
}

/// Why there is no connection.
enum Failure {
    Late,
    /// The service has no certificate, or none for this client.
    Unanswered,
    Broken(io::Error),
}

impl Failure {
    /// Counts it. Whoever finds the port can cause as many as they like, so that the log has them only if asked.
    fn tell(self) {
        let reason = match &self {
            Self::Late => "late",
            Self::Unanswered => "no_certificate",
            Self::Broken(_) => "broken",
        };
        let error = match self {
            Self::Broken(error) => Some(error),
            Self::Late | Self::Unanswered => None,
        };
        tracing::debug!(reason, error = error.map(tracing::field::display), "a handshake failed");
        crate::meter("service-runtime")
            .u64_counter("tls.handshakes.failed")
            .with_description("Connections that ended before TLS was agreed on.")
            .build()
            .add(1, &[KeyValue::new("reason", reason)]);
    }
}

async fn shake_hands(stream: TcpStream, tls: &Tls) -> Result<Option<TlsStream<TcpStream>>, Failure> {
    let begun = LazyConfigAcceptor::new(Acceptor::default(), stream);
    let begun = begun.await.map_err(Failure::Broken)?;
    let config = tls.choose(&begun.client_hello()).ok_or(Failure::Unanswered)?;
    let ours = |protocol: &[u8]| crate::tls::PROTOCOLS.contains(&protocol);
    let mut stream = begun.into_stream(config).await.map_err(Failure::Broken)?;
    if stream.get_ref().1.alpn_protocol().is_none_or(ours) {
        return Ok(Some(stream));
    }
    // As RFC 8737 §3 has it of who validates a name.
    stream.shutdown().await.map_err(Failure::Broken)?;
    Ok(None)
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
