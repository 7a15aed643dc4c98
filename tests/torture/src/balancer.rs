//! A plain TCP balancer: each new connection goes to the next backend in turn; one that refuses it is passed over. It knows
//! nothing of what goes through it.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// It ends with all its connections when it is dropped.
#[derive(Debug)]
pub(crate) struct Balancer {
    addr: SocketAddr,
    _ends: DropGuard,
}

impl Balancer {
    /// Starts one before these.
    pub(crate) async fn start(backends: Vec<SocketAddr>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let ends = CancellationToken::new();
        let balance = balance(listener, backends.into(), ends.clone());
        tokio::spawn(ends.clone().run_until_cancelled_owned(balance));
        Ok(Self {
            addr,
            _ends: ends.drop_guard(),
        })
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

async fn balance(listener: TcpListener, backends: Arc<[SocketAddr]>, ends: CancellationToken) {
    let mut first = 0;
    loop {
        // What cannot be accepted has gone already.
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let backends = backends.clone();
        let turn = first;
        first = (first + 1) % backends.len();
        tokio::spawn(ends.clone().run_until_cancelled_owned(async move {
            let in_turn = backends.iter().cycle().skip(turn).take(backends.len());
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
    // Without it small messages wait for one another; the connection is as good if it cannot be set.
    let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
