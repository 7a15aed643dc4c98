//! The first bytes of a connection: which HTTP it speaks, and that it has begun to speak at all. hyper-util finds out the
//! version too, but cuts a connection that is told to finish meanwhile, although its request may be on the way.

use std::io;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

use super::drain::Drain;
use super::rewound::Rewound;
use super::wire::Wire;

/// What every HTTP/2 connection begins with, and no HTTP/1 connection does (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// The connection, from its first byte on.
pub(super) type Opened = TokioIo<Rewound>;

/// Waits for the first bytes, `patience` at most; what comes after them is written with `stalled` for a client that takes
/// nothing. `None` if the connection ended without a word, or was silent too long.
pub(super) async fn open(
    mut stream: Wire,
    drain: &mut Drain,
    patience: Duration,
    stalled: Option<Duration>,
) -> io::Result<Option<(Version, Opened)>> {
    let mut first = [0; PREFACE.len()];
    let heard = tokio::select! {
        // Who has spoken at the last moment is served.
        biased;
        read = stream.read(&mut first) => read?,
        () = drain.silent_too_long() => 0,
        () = sleep(patience) => 0,
    };
    if heard == 0 {
        return Ok(None);
    }
    let Ok(known) = timeout(patience, rest_of_preface(&mut stream, &mut first, heard)).await else {
        return Ok(None);
    };
    let (version, heard) = known?;
    let rewound = Rewound::new(first[..heard].to_vec(), stream, stalled);
    Ok(Some((version, TokioIo::new(rewound))))
}

/// Reads on until it is certain whether this is the preface.
async fn rest_of_preface(
    stream: &mut Wire,
    first: &mut [u8; PREFACE.len()],
    mut heard: usize,
) -> io::Result<(Version, usize)> {
    while PREFACE.starts_with(&first[..heard]) {
        if heard == PREFACE.len() {
            return Ok((Version::Http2, heard));
        }
        match stream.read(&mut first[heard..]).await? {
            0 => break,
            more => heard += more,
        }
    }
    Ok((Version::Http1, heard))
}
