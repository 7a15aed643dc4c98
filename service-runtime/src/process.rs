//! The process's own figures: memory, threads, open files, time on the processors, and how busy its runtime is. Read when metrics
//! are collected; those of `/proc` are not there elsewhere than on Linux.

use std::fs;
use tokio::time::Instant;

use opentelemetry::metrics::Meter;
use tokio::runtime::{Handle, RuntimeMetrics};

/// Registers the gauges; each is read when somebody looks. Inside a runtime, its figures are among them.
pub(crate) fn register(meter: &Meter) {
    meter
        .i64_observable_gauge("process.memory.usage")
        .with_unit("By")
        .with_description("Resident memory.")
        .with_callback(|gauge| {
            if let Some(kib) = status("VmRSS:") {
                gauge.observe(kib * 1024, &[]);
            }
        })
        .build();
    meter
        .i64_observable_gauge("process.thread.count")
        .with_unit("{thread}")
        .with_description("Threads of the process.")
        .with_callback(|gauge| {
            if let Some(threads) = status("Threads:") {
                gauge.observe(threads, &[]);
            }
        })
        .build();
    meter
        .i64_observable_gauge("process.unix.file_descriptor.count")
        .with_unit("{file_descriptor}")
        .with_description("Open files and sockets.")
        .with_callback(|gauge| {
            if let Some(files) = open_files() {
                gauge.observe(files, &[]);
            }
        })
        .build();
    meter
        .f64_observable_counter("process.cpu.time")
        .with_unit("s")
        .with_description("Time spent on all processors.")
        .with_callback(|counter| {
            if let Some(seconds) = cpu_seconds() {
                counter.observe(seconds, &[]);
            }
        })
        .build();
    let began = Instant::now();
    meter
        .f64_observable_gauge("process.uptime")
        .with_unit("s")
        .with_description("Time since the process started.")
        .with_callback(move |gauge| gauge.observe(began.elapsed().as_secs_f64(), &[]))
        .build();
    if let Ok(runtime) = Handle::try_current() {
        register_runtime(meter, &runtime.metrics());
    }
}

fn register_runtime(meter: &Meter, runtime: &RuntimeMetrics) {
    let of = runtime.clone();
    meter
        .u64_observable_gauge("tokio.workers")
        .with_unit("{thread}")
        .with_description("Threads that run asynchronous work.")
        .with_callback(move |gauge| gauge.observe(of.num_workers() as u64, &[]))
        .build();
    let of = runtime.clone();
    meter
        .u64_observable_gauge("tokio.alive_tasks")
        .with_unit("{task}")
        .with_description("Tasks that have not ended.")
        .with_callback(move |gauge| gauge.observe(of.num_alive_tasks() as u64, &[]))
        .build();
    let of = runtime.clone();
    meter
        .u64_observable_gauge("tokio.global_queue.depth")
        .with_unit("{task}")
        .with_description("Tasks that wait for any worker: the process has more to do than it can.")
        .with_callback(move |gauge| gauge.observe(of.global_queue_depth() as u64, &[]))
        .build();
    let of = runtime.clone();
    meter
        .f64_observable_counter("tokio.worker.busy.time")
        .with_unit("s")
        .with_description("Time that workers spent on tasks, all together.")
        .with_callback(move |counter| {
            let busy = (0..of.num_workers()).map(|worker| of.worker_total_busy_duration(worker).as_secs_f64());
            counter.observe(busy.sum(), &[]);
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

/// The kernel counts by hundredths of a second towards programs, whatever its own clock (`USER_HZ`, proc_pid_stat(5)).
fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it may have blanks and brackets. Behind it: state is the third field, utime the 14th, stime the 15th.
    let (_, fields) = text.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut ticks = || times.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
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

    #[test]
    fn time_on_the_processor_is_in_seconds() {
        let (before, began) = (cpu_seconds().unwrap(), Instant::now());
        let mut sum = 0_u64;
        while began.elapsed().as_millis() < 300 {
            sum = sum.wrapping_mul(31).wrapping_add(7);
        }
        std::hint::black_box(sum);
        let spent = cpu_seconds().unwrap() - before;
        // Other tests of this process may have been at work, on every processor; this one may have had to wait.
        assert!(spent > 0.0 && spent < 300.0, "{spent}");
    }
}
