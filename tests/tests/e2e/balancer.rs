//! A plain TCP balancer: each new connection goes to the next backend in turn; one that refuses it is passed over. It
//! knows nothing of what goes through it and ends no connection that either side keeps.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// It ends with all its connections when it is dropped.
pub(crate) struct Balancer {
    addr: SocketAddr,
    _ends: DropGuard,
}

impl Balancer {
    /// Starts one before these.
    pub(crate) async fn start(backends: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let ends = CancellationToken::new();
        tokio::spawn(
            ends.clone()
                .run_until_cancelled_owned(balance(listener, backends, ends.clone())),
        );
        Self {
            addr,
            _ends: ends.drop_guard(),
        }
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

async fn balance(listener: TcpListener, backends: Vec<SocketAddr>, ends: CancellationToken) {
    let (backends, turn) = (Arc::new(backends), Arc::new(AtomicUsize::new(0)));
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (backends, turn) = (Arc::clone(&backends), Arc::clone(&turn));
        tokio::spawn(ends.clone().run_until_cancelled_owned(async move {
            let first = turn.fetch_add(1, Ordering::Relaxed);
            let in_turn = (first..).take(backends.len()).map(|nth| backends[nth % backends.len()]);
            for backend in in_turn {
                if let Ok(server) = TcpStream::connect(backend).await {
                    join(client, server).await;
                    return;
                }
            }
        }));
    }
}

/// Carries bytes both ways until both sides have ended; what one side breaks off ends for the other.
async fn join(mut client: TcpStream, mut server: TcpStream) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
