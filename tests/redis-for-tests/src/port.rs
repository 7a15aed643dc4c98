//! Ports for servers that are killed and come back: each stays free for its server in between.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

/// A port that nobody listens on and that the system gives to nobody as the near end of a connection: those lie higher.
/// Processes with near ids, and tests of one process, get different ones.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    const A_PROCESS: u32 = 40;
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    loop {
        let nth = u32::from(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + (std::process::id() % COUNT * A_PROCESS + nth) % COUNT;
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
