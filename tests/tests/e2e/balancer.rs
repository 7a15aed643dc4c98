//! A plain TCP balancer: each new connection goes to the next backend in turn of those that are ready by their `/readyz`,
//! and if that one refuses it, so does the balancer. It knows nothing of what goes through it and ends no connection that
//! either side keeps.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::processes::PATIENCE;

/// How often a backend is asked whether it is ready, and how long it may take to say.
const INTERVAL: Duration = Duration::from_millis(50);
const ANSWER: Duration = Duration::from_secs(1);

/// It ends with all its connections when it is dropped.
pub(crate) struct Balancer {
    addr: SocketAddr,
    backends: watch::Sender<Vec<Backend>>,
    ends: CancellationToken,
    _ends_on_drop: DropGuard,
}

#[derive(Clone, Copy)]
struct Backend {
    addr: SocketAddr,
    is_ready: bool,
}

impl Balancer {
    /// Starts one. Nobody connects to it before it has a backend.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ends = CancellationToken::new();
        let balancer = Self {
            addr: listener.local_addr().unwrap(),
            backends: watch::Sender::default(),
            _ends_on_drop: ends.clone().drop_guard(),
            ends,
        };
        balancer.spawn(balance(listener, balancer.backends.subscribe(), balancer.ends.clone()));
        balancer
    }

    /// Puts it before one more, which tells at that URL whether it is ready.
    pub(crate) fn add(&self, addr: SocketAddr, readyz: &str) {
        let is_ready = false;
        self.backends
            .send_modify(|backends| backends.push(Backend { addr, is_ready }));
        self.spawn(follow(readyz.to_owned(), addr, self.backends.clone()));
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.ends.clone().run_until_cancelled_owned(task));
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until each backend gets its share again.
    pub(crate) async fn whole(&self) {
        let mut backends = self.backends.subscribe();
        let whole = backends.wait_for(|backends| backends.iter().all(|backend| backend.is_ready));
        let waited = tokio::time::timeout(PATIENCE, whole).await;
        assert!(waited.is_ok(), "a backend is not ready");
    }
}

/// Keeps asking one backend whether it is ready.
async fn follow(readyz: String, addr: SocketAddr, backends: watch::Sender<Vec<Backend>>) {
    let http = reqwest::Client::builder().timeout(ANSWER).build().unwrap();
    loop {
        let answer = http.get(&readyz).send().await;
        let is_ready = answer.is_ok_and(|answer| answer.status().is_success());
        backends.send_if_modified(|backends| {
            let backend = backends.iter_mut().find(|backend| backend.addr == addr).unwrap();
            std::mem::replace(&mut backend.is_ready, is_ready) != is_ready
        });
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn balance(listener: TcpListener, backends: watch::Receiver<Vec<Backend>>, ends: CancellationToken) {
    for turn in 0.. {
        let (client, _) = listener.accept().await.unwrap();
        let backend = next(&backends.borrow(), turn);
        tokio::spawn(ends.clone().run_until_cancelled_owned(async move {
            if let Ok(server) = TcpStream::connect(backend).await {
                join(client, server).await;
            }
        }));
    }
}

/// Whose turn it is. Where nobody is ready, everybody has a turn.
fn next(backends: &[Backend], turn: usize) -> SocketAddr {
    let ready: Vec<_> = backends.iter().filter(|backend| backend.is_ready).collect();
    let taken = if ready.is_empty() {
        backends.iter().collect()
    } else {
        ready
    };
    taken[turn % taken.len()].addr
}

/// Carries bytes both ways until both sides have ended; what one side breaks off ends for the other.
async fn join(mut client: TcpStream, mut server: TcpStream) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
