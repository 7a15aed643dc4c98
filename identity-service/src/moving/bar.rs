//! The progress bar of a move, for a person at a terminal.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error, if a person sits there; it goes away when this does.
pub(super) struct Bar(Option<ProgressBar>);

impl Bar {
    /// A bar for so much work.
    pub(super) fn new(message: &'static str, length: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg:10} [{bar:40}] {percent}%  {elapsed}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(message);
        Self(Some(bar))
    }

    /// Shows how much of it is done.
    pub(super) fn at(&self, done: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(bar.length().unwrap_or(0).max(done));
            bar.set_position(done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
