//! A value that may be replaced while it is used: whoever has taken it keeps what it took, whoever takes it next has the new one.

use std::sync::Arc;

use tokio::sync::watch;

/// What holds at present. A clone follows on its own.
#[derive(Debug)]
pub struct Live<T>(watch::Receiver<Arc<T>>);

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Live<T> {
    /// What never changes.
    pub fn fixed(value: T) -> Self {
        Self(watch::channel(Arc::new(value)).1)
    }

    pub(super) fn of(receiver: watch::Receiver<Arc<T>>) -> Self {
        Self(receiver)
    }

    /// The present value.
    pub fn get(&self) -> Arc<T> {
        self.0.borrow().clone()
    }

    /// The present value; [`Self::changed`] waits for another.
    pub fn take(&mut self) -> Arc<T> {
        self.0.borrow_and_update().clone()
    }

    /// Waits until there is a value that this one has not taken. What never changes is waited for without end.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_holds_a_value_keeps_it_and_the_next_has_the_new_one() {
        let (sender, receiver) = watch::channel(Arc::new(1));
        let mut live = Live::of(receiver);
        let held = live.take();
        assert!(live.changed().now_or_never().is_none());
        sender.send_replace(Arc::new(2));
        live.changed().await;
        assert_eq!((*held, *live.take()), (1, 2));
        drop(sender);
        assert!(live.changed().now_or_never().is_none(), "nothing comes any more");
        assert_eq!(*Live::fixed(3).get(), 3);
    }
}
