//! Panics that are expected by the hundred: a property that fails is run again for each shorter case, and only the last
//! is worth reading. What such a panic said is given back instead of printed.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

thread_local! {
    /// `None` when panics are printed as ever.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a test case; what it panicked with, and where.
pub(super) fn catch(case: impl FnOnce()) -> Result<(), String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            let kept = SAID.with_borrow_mut(|said| said.as_mut().map(|said| *said = panic.to_string()));
            if kept.is_none() {
                print(panic);
            }
        }));
    });
    SAID.set(Some(String::new()));
    let outcome = catch_unwind(AssertUnwindSafe(case));
    let said = SAID.take().unwrap_or_default();
    outcome.map_err(|_| said)
}
