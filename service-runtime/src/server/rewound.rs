//! A connection of which some bytes were read already, to find out which HTTP it speaks; and whose client may not stop reading.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::limits::Ended;
use super::wire::Wire;

pub(super) struct Rewound {
    read: io::Cursor<Vec<u8>>,
    wire: Wire,
    /// For how long nothing may be taken.
    stalled: Option<Duration>,
    /// Runs while what was to be written waits for the client.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Rewound {
    pub(super) fn new(read: Vec<u8>, wire: Wire, stalled: Option<Duration>) -> Self {
        Self {
            read: io::Cursor::new(read),
            wire,
            stalled,
            waiting: None,
        }
    }

    /// Passes on how far writing has come, and ends it when the client takes nothing for too long.
    fn watched<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(stalled) = self.stalled.filter(|_| written.is_pending()) else {
            self.waiting = None;
            return written;
        };
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(stalled)));
        ready!(waiting.as_mut().poll(cx));
        Ended::SlowReader.count();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Rewound {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let begun = this.read.position() < this.read.get_ref().len() as u64;
        if begun && into.remaining() > 0 {
            return Pin::new(&mut this.read).poll_read(cx, into);
        }
        Pin::new(&mut this.wire).poll_read(cx, into)
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.wire).poll_write(cx, bytes);
        this.watched(written, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.wire).poll_write_vectored(cx, bytes);
        this.watched(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.wire).poll_flush(cx);
        this.watched(flushed, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.wire).poll_shutdown(cx);
        this.watched(shut, cx)
    }
}
