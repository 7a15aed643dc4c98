//! The commands `export` and `import`, as processes that are killed and started again, on real files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use identity_service::{
    StartError,
    id::{Kind, ResourceId, Tenant},
    record::Record,
    start,
    store::{
        Entry, ExportCursor, KeptLink, Link, MOVED_AT_ONCE, Store,
        embedded::{EmbeddedStore, Options},
    },
};
use jiff::Timestamp;
use redis_for_tests::RedisServer;
use serde_json::{Value, json};

use crate::service::config;

const PATIENCE: Duration = Duration::from_secs(120);
const STORE: &str = "identity.redb";

/// A folder with a store in it, and room for files.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// A store with so many users, half of them with an account, in a group of all.
    async fn filled(&self, name: &str, users: usize) -> Counted {
        let store = self.open(name);
        let at: Timestamp = "2026-11-25T14:00:00Z".parse().unwrap();
        let tenant = Tenant::new("default");
        let mut group = Record::new(
            ResourceId::generate(),
            Kind::Group,
            json!({"displayName": "everybody"}),
            at,
        );
        group.member_count = users as u64;
        let mut entries = vec![
            Entry::Counters {
                stamp: 9,
                pause: None,
                credentials: None,
            },
            Entry::Resource(group.clone()),
        ];
        for number in 0..users {
            let document = json!({"userName": format!("user {number}"), "externalId": format!("x{number}")});
            let user = Record::new(ResourceId::generate(), Kind::User, document, at);
            entries.push(Entry::Members {
                group: group.id,
                members: vec![(user.id, Some(Kind::User))],
            });
            if number % 2 == 0 {
                let link = Link {
                    platform_id: Some(format!("account {number}")),
                    backend: "rpc".to_owned(),
                    applied_version: 1,
                    applied_document: 1,
                    ..Link::default()
                };
                let link = KeptLink {
                    link,
                    ..KeptLink::default()
                };
                entries.push(Entry::Link {
                    id: user.id,
                    kind: Kind::User,
                    link,
                });
            }
            entries.push(Entry::Resource(user));
        }
        for step in entries.chunks(MOVED_AT_ONCE) {
            store.import(&tenant, step.to_vec()).await.unwrap();
        }
        Counted::of(&store).await
    }

    fn open(&self, name: &str) -> Arc<EmbeddedStore> {
        fs::create_dir_all(self.file(name)).unwrap();
        let path = self.file(name).join(STORE);
        Arc::new(EmbeddedStore::open(&path, Options::default()).unwrap())
    }

    /// A command, with the store of that name.
    fn command(&self, command: &str, store: &str, file: &Path) -> Command {
        process(&[command, "--data-dir", &self.data(store)], file)
    }

    fn run(&self, command: &str, store: &str, file: &Path) -> Output {
        self.command(command, store, file).output().unwrap()
    }
}

fn process(words: &[&str], file: &Path) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_identity-service"));
    process
        .args(words)
        .arg("--file")
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    process
}

/// What is in a store, by its own words.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    users: u64,
    members: usize,
    linked: usize,
}

impl Counted {
    async fn of(store: &EmbeddedStore) -> Self {
        let tenant = Tenant::new("default");
        let summary = store.summary(&tenant).await.unwrap();
        let (mut members, mut linked) = (0, 0);
        let mut after: Option<ExportCursor> = None;
        loop {
            let (entries, next) = store.export(&tenant, after, MOVED_AT_ONCE).await.unwrap();
            for entry in entries {
                match entry {
                    Entry::Members { members: some, .. } => members += some.len(),
                    Entry::Link { .. } => linked += 1,
                    _ => {}
                }
            }
            match next {
                Some(_) => after = next,
                None => break,
            }
        }
        Self {
            users: summary.users,
            members,
            linked,
        }
    }
}

fn succeeded(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command said that ended with 1.
fn failed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn an_import_that_was_killed_goes_on_and_its_counts_are_verified() {
    let (home, users) = (Home::new(), 30_000);
    let counted = home.filled("old", users).await;
    let file = home.file("moved.jsonl");
    let said = succeeded(&home.run("export", "old", &file));
    assert!(said.contains("30000"), "{said}");
    let whole = fs::metadata(home.file("old").join(STORE)).unwrap().len();

    let mut importing = home.command("import", "new", &file).spawn().unwrap();
    kill_when_large(&mut importing, &home.file("new").join(STORE), whole / 4).await;
    let half = home.open("new");
    let tenant = Tenant::new("default");
    let mark = half
        .importing(&tenant)
        .await
        .unwrap()
        .expect("the import is not complete");
    let there = half.summary(&tenant).await.unwrap().users;
    assert!(there < users as u64, "the process was killed in the middle");
    drop(half);

    let refused = start(config(&["--data-dir", &home.data("new")]))
        .await
        .map(drop)
        .unwrap_err();
    assert!(matches!(refused, StartError::HalfImported), "{refused:?}");
    let other = home.file("other.jsonl");
    home.filled("small", 3).await;
    succeeded(&home.run("export", "small", &other));
    let said = failed(&home.run("import", "new", &other));
    assert!(said.contains("another file"), "{said}");

    // The file may lie elsewhere meanwhile.
    let elsewhere = home.file("elsewhere.jsonl");
    fs::rename(&file, &elsewhere).unwrap();
    let said = succeeded(&home.run("import", "new", &elsewhere));
    assert!(said.contains("memberships") && said.contains("30000"), "{said}");
    let store = home.open("new");
    assert_eq!(Counted::of(&store).await, counted);
    assert_eq!(store.importing(&tenant).await.unwrap(), None, "after {mark:?}");
    drop(store);
    let said = failed(&home.run("import", "new", &elsewhere));
    assert!(said.contains("not empty"), "{said}");

    // And back: the same lines, but for the time of the export.
    let back = home.file("back.jsonl");
    succeeded(&home.run("export", "new", &back));
    assert_eq!(
        lines(&back)[1..lines(&back).len() - 1],
        lines(&elsewhere)[1..lines(&elsewhere).len() - 1]
    );
}

/// Kills a process when its file has grown so large.
async fn kill_when_large(process: &mut Child, path: &Path, bytes: u64) {
    let begun = tokio::time::Instant::now();
    while fs::metadata(path).map_or(0, |file| file.len()) < bytes {
        assert!(begun.elapsed() < PATIENCE, "the file grows");
        assert_eq!(process.try_wait().unwrap(), None, "the process is at work");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

/// The last that an export which was killed may have left: good lines, some that nobody vouches for, and a note.
async fn cut_off(home: &Home, name: &str, whole: &Path, pages: usize) {
    let store = home.open(name);
    let tenant = Tenant::new("default");
    let (mut after, mut entries) = (None, Vec::new());
    for _ in 0..pages {
        let (page, next) = store.export(&tenant, after, MOVED_AT_ONCE).await.unwrap();
        entries.extend(page);
        after = next;
    }
    let mut counts = identity_service::moving::Counts::default();
    entries.iter().for_each(|entry| counts.add(entry));
    let good: String = lines(whole)[..=entries.len()]
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    let progress = json!({
        "tenant": "default",
        "state": {
            "feed": store.feed_id(&tenant).await.unwrap(),
            "newest_entry": store.newest_entry(&tenant).await.unwrap(),
            "stamp": 9,
        },
        "cursor": after.unwrap(),
        "bytes": good.len(),
        "counts": counts,
    });
    let beside = |ending: &str| format!("{}{ending}", whole.display());
    fs::write(beside(".partial"), good + "{\"resource\":{\"id\":\"cut o").unwrap();
    fs::write(beside(".progress"), progress.to_string()).unwrap();
    fs::remove_file(whole).unwrap();
}

#[tokio::test]
async fn an_export_that_was_cut_off_goes_on_where_it_was() {
    let home = Home::new();
    home.filled("old", 4_000).await;
    let file = home.file("backup.jsonl");
    succeeded(&home.run("export", "old", &file));
    let whole = fs::read(&file).unwrap();
    cut_off(&home, "old", &file, 3).await;
    let said = failed(&home.run("import", "new", Path::new(&format!("{}.partial", file.display()))));
    assert!(said.contains("same --file"), "{said}");
    succeeded(&home.run("export", "old", &file));
    // Also the header, which says when the export began.
    assert!(fs::read(&file).unwrap() == whole, "every byte is as it was");
    for ending in [".partial", ".progress"] {
        assert!(!Path::new(&format!("{}{ending}", file.display())).exists(), "{ending}");
    }

    // Not on a store that has changed meanwhile.
    cut_off(&home, "old", &file, 3).await;
    let store = home.open("old");
    let stamp = Entry::Counters {
        stamp: 10,
        pause: None,
        credentials: None,
    };
    store.import(&Tenant::new("default"), vec![stamp]).await.unwrap();
    drop(store);
    succeeded(&home.run("export", "old", &file));
    assert_ne!(lines(&file)[0], String::from_utf8_lossy(&whole).lines().next().unwrap());
    assert_eq!(lines(&file)[1], r#"{"counters":{"stamp":10}}"#);
    succeeded(&home.run("import", "new", &file));
}

#[tokio::test]
async fn a_file_goes_into_redis_and_comes_back() {
    let home = Home::new();
    let wanted = home.filled("old", 2_500).await;
    let file = home.file("backup.jsonl");
    succeeded(&home.run("export", "old", &file));
    let redis = RedisServer::start().await;
    let with_redis = |command: &str, file: &Path| {
        let url = redis.url();
        process(&[command, "--redis-url", &url], file).output().unwrap()
    };
    succeeded(&with_redis("import", &file));
    let said = failed(&with_redis("import", &file));
    assert!(said.contains("not empty"), "{said}");
    // One script for a thousand entries, whether there is a resource in them or not, and not many for the rest.
    let stats = redis.cli(&["INFO", "commandstats"]).await;
    let scripts = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    let scripts: u64 = scripts.unwrap().split(',').next().unwrap().parse().unwrap();
    assert!(scripts < 2_500, "{scripts}");
    let back = home.file("back.jsonl");
    succeeded(&with_redis("export", &back));
    succeeded(&home.run("import", "new", &back));
    assert_eq!(Counted::of(&home.open("new")).await, wanted);
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_refused_before_a_line_of_it_is_used() {
    let home = Home::new();
    home.filled("old", 20).await;
    let file = home.file("backup.jsonl");
    succeeded(&home.run("export", "old", &file));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let text = fs::read_to_string(&file).unwrap();
    let broken = home.file("broken.jsonl");
    let header = text.lines().next().unwrap();
    let mut other = serde_json::from_str::<Value>(header).unwrap();
    other["header"]["tenant"] = "umbrella".into();
    let mut later = serde_json::from_str::<Value>(header).unwrap();
    later["header"]["version"] = 2.into();
    for (content, why) in [
        (String::new(), "empty"),
        (text[..text.len() - 2].to_owned(), "not complete"),
        (text[..text.find("{\"footer\"").unwrap()].to_owned(), "not complete"),
        (text.replacen("user 7", "user 8", 1), "changed or damaged"),
        (format!("{text}{{}}\n"), "follows its footer"),
        (text.replacen(header, "{}", 1), "no header"),
        (text.replacen(header, &later.to_string(), 1), "version 2"),
    ] {
        fs::write(&broken, content).unwrap();
        let said = failed(&home.run("import", "new", &broken));
        assert!(said.contains(why), "{why}: {said}");
        assert!(!said.contains("user 7"), "no value of the file is told");
    }
    let missing = failed(&home.run("import", "new", &home.file("missing.jsonl")));
    assert!(missing.contains("missing.jsonl"), "{missing}");
    let mut umbrella = home.command("import", "new", &file);
    let said = failed(&umbrella.args(["--tenant", "umbrella"]).output().unwrap());
    assert!(said.contains("tenant default"), "{said}");
    // Nothing of all that has touched the store.
    succeeded(&home.run("import", "new", &file));
    let no_file = Command::new(env!("CARGO_BIN_EXE_identity-service"))
        .arg("import")
        .output()
        .unwrap();
    assert_eq!(no_file.status.code(), Some(64));
}

#[tokio::test]
async fn counts_that_differ_are_told_and_the_store_is_not_served() {
    let home = Home::new();
    home.filled("old", 5).await;
    let file = home.file("backup.jsonl");
    succeeded(&home.run("export", "old", &file));
    // A membership in a group that is nowhere, in a file whose digest is right.
    let mut entries = lines(&file);
    let footer: Value = serde_json::from_str(&entries.pop().unwrap()).unwrap();
    let stray = json!({"members": {"group": ResourceId::generate(), "members": [[ResourceId::generate(), null]]}});
    entries.push(stray.to_string());
    let text: String = entries.iter().map(|line| format!("{line}\n")).collect();
    let mut counts = footer["footer"]["counts"].clone();
    counts["memberships"] = 6.into();
    let footer = json!({"footer": {"counts": counts, "sha256": sha256(&text)}});
    fs::write(&file, format!("{text}{footer}\n")).unwrap();
    for _ in 0..2 {
        let said = failed(&home.run("import", "new", &file));
        assert!(said.contains("differ") && said.contains("memberships"), "{said}");
    }
    let refused = start(config(&["--data-dir", &home.data("new")]))
        .await
        .map(drop)
        .unwrap_err();
    assert!(matches!(refused, StartError::HalfImported), "{refused:?}");
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn standard_output_gets_the_lines_and_nothing_else() {
    let home = Home::new();
    home.filled("old", 5).await;
    let output = home.run("export", "old", Path::new("-"));
    let text = succeeded(&output);
    let file = home.file("piped.jsonl");
    fs::write(&file, text).unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("users"));
    succeeded(&home.run("import", "new", &file));
}
