//! The clock of identity-service's machine jumps, forward and back, while the Platform fails and while deliveries are under way:
//! nobody waits for the clock to be right again, nothing is done twice.

use std::{fs, path::PathBuf, time::Duration};

use entra_simulator::{Dialect, Directory, Job, Knobs, VerifyOptions, verify};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    deployment::{BUILT_IN, fault},
    processes::Services,
};

/// A clock that a process is shown in place of the machine's (libfaketime), but for the monotonic one.
struct Clock {
    folder: TempDir,
}

impl Clock {
    fn new() -> Self {
        let clock = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        clock.is_off_by(0);
        clock
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// Sets it: so many seconds before or after the right time.
    fn is_off_by(&self, seconds: i64) {
        // Replaced in one step, as somebody may read it this moment.
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{seconds:+}s")).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    /// What a process that goes by it has in its environment.
    fn variables(&self) -> [(&'static str, String); 4] {
        let libraries = fs::read_dir("/usr/lib").unwrap();
        let paths = libraries.map(|entry| entry.unwrap().path().join("faketime/libfaketimeMT.so.1"));
        let library = paths.into_iter().find(|path| path.is_file());
        let library = library.expect("libfaketime is missing; `make test` installs it");
        [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

const HOUR: i64 = 3_600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_delays_nothing_and_doubles_nothing() {
    let clock = Clock::new();
    let mut services = Services::start(&[]).await;
    services.identity.stop().await;
    for (name, value) in clock.variables() {
        services.identity.with(name, &value);
    }
    services.identity.start();
    services.ready().await;
    let mut directory = Directory::generate(7, 30, 4);
    let mut job = Job::new(services.entra(Knobs::of(Dialect::Default)));
    let platform = services.platform_side();

    for (number, offset) in [HOUR, -24 * HOUR, 0].into_iter().enumerate() {
        // Some wait for their next try, some are under way, when it jumps.
        platform.profile(json!({"latency_ms": 30})).await;
        platform
            .fault(fault("CDirectoryService/CreateUser", "unavailable", 3))
            .await;
        platform
            .fault(fault("CDirectoryService/ChangeUser", "throttle", 3))
            .await;
        directory.advance();
        job.cycle(&directory).await.unwrap();
        clock.is_off_by(offset);
        sleep(Duration::from_millis(100)).await;
        directory.advance();
        job.cycle(&directory).await.unwrap();
        platform.no_faults().await;
        services.settled().await;
        assert!(
            services.identity.log().contains("the clock went back") == (number > 0),
            "{number}"
        );
    }

    // It goes back while nobody is there to see it.
    platform
        .fault(fault("CDirectoryService/ChangeUser", "unavailable", 1_000))
        .await;
    directory.advance();
    job.cycle(&directory).await.unwrap();
    services.identity.stop().await;
    clock.is_off_by(-HOUR);
    platform.no_faults().await;
    services.identity.start();
    services.ready().await;
    services.settled().await;

    let options = VerifyOptions {
        platform_url: Some(services.platform_url().to_owned()),
        ignore: BUILT_IN.map(str::to_owned).into(),
        ..VerifyOptions::default()
    };
    let verification = verify(&job, &directory, &options, None).await.unwrap();
    assert_eq!(verification.differences, []);
}
