//! Taking an address to listen on.
//!
//! Our default ports lie where the system also takes the near ends of outgoing connections from. After a busy minute one of
//! those may still hold a port although nobody listens there; it lets go by itself. That is waited for; somebody who does
//! listen there is an error at once.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::Error;

/// A connection that has ended holds its port for a minute (`TIME_WAIT`), and a little more makes sure of it.
const LINGERS: Duration = Duration::from_secs(75);
/// How often it is looked whether the port is free.
const PAUSE: Duration = Duration::from_millis(250);
/// How long somebody who listens may take to take a connection.
const ANSWER: Duration = Duration::from_secs(1);

/// Takes an address; port 0 lets the system choose.
pub async fn bind(addr: SocketAddr) -> Result<TcpListener, Error> {
    listen(addr).await.map_err(|source| Error::Bind { addr, source })
}

/// As [`bind`], with the system's own error.
pub async fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let began = Instant::now();
    let mut told = false;
    loop {
        match TcpListener::bind(addr).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && began.elapsed() < LINGERS => {
                if is_listened_on(addr).await {
                    return Err(error);
                }
                if !std::mem::replace(&mut told, true) {
                    tracing::info!(%addr, "nobody listens there, but a connection still holds the port; waiting for it to let go");
                }
                sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Who does not answer in time may be busy, but is there.
async fn is_listened_on(addr: SocketAddr) -> bool {
    let refused = |error: &io::Error| error.kind() == ErrorKind::ConnectionRefused;
    match timeout(ANSWER, TcpStream::connect(addr)).await {
        Ok(Err(error)) => !refused(&error),
        Ok(Ok(_)) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    const HERE: ([u8; 4], u16) = ([127, 0, 0, 1], 0);
    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn who_listens_already_is_an_error_at_once() {
        let first = listen(HERE.into()).await.unwrap();
        let second = timeout(PATIENCE, bind(first.local_addr().unwrap())).await.unwrap();
        assert!(matches!(second, Err(Error::Bind { source, .. }) if source.kind() == ErrorKind::AddrInUse));
    }

    #[tokio::test]
    async fn a_port_that_a_connection_still_holds_is_waited_for() {
        let peer = listen(HERE.into()).await.unwrap();
        let near = TcpSocket::new_v4().unwrap();
        // Cut, and not closed, so that the system lets go of the port at once.
        near.set_zero_linger().unwrap();
        near.bind(HERE.into()).unwrap();
        let held = near.connect(peer.local_addr().unwrap()).await.unwrap();
        let addr = held.local_addr().unwrap();
        assert_eq!(TcpListener::bind(addr).await.unwrap_err().kind(), ErrorKind::AddrInUse);
        let waiting = tokio::spawn(listen(addr));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        let listener = timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap();
        assert_eq!(listener.local_addr().unwrap(), addr);
    }
}
