//! The process's own figures: memory, threads, open files. Read from `/proc` when metrics are collected; elsewhere than
//! on Linux there are none.

use std::fs;

use opentelemetry::metrics::Meter;

/// Registers the gauges; each is read when somebody looks.
pub(crate) fn register(meter: &Meter) {
    meter
        .i64_observable_gauge("process.memory.usage")
        .with_unit("By")
        .with_description("Resident memory")
        .with_callback(|gauge| {
            if let Some(kib) = status("VmRSS:") {
                gauge.observe(kib * 1024, &[]);
            }
        })
        .build();
    meter
        .i64_observable_gauge("process.thread.count")
        .with_unit("{thread}")
        .with_callback(|gauge| {
            if let Some(threads) = status("Threads:") {
                gauge.observe(threads, &[]);
            }
        })
        .build();
    meter
        .i64_observable_gauge("process.unix.file_descriptor.count")
        .with_unit("{file_descriptor}")
        .with_callback(|gauge| {
            if let Some(files) = open_files() {
                gauge.observe(files, &[]);
            }
        })
        .build();
}

fn status(name: &str) -> Option<i64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<i64> {
    i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_there() {
        assert!(status("VmRSS:").unwrap() > 0);
        assert!(status("Threads:").unwrap() > 0);
        assert!(open_files().unwrap() > 0);
        assert_eq!(status("NoSuchLine:"), None);
    }
}
