//! Users, passwords and certificates.

use std::{path::Path, process::Command};

use super::{
    CallError, KEY, Settings, count, open,
    servers::{Server, free_port},
};
use crate::{
    id::Tenant,
    store::{
        Store,
        redis::{Connection, OpenError, Options, RedisStore},
    },
};

/// The user that docs/redis.md recommends.
fn recommended() -> String {
    let page = include_str!("../../../../../../docs/redis.md");
    let rule = page.lines().find(|line| line.starts_with("user scim ")).unwrap();
    format!("--{}", rule.replace("PASSWORD", "s3cret"))
}

#[tokio::test]
async fn the_documented_acl_is_enough() {
    let server = Server::start(&format!("{} --user default off", recommended())).await;
    let url = server.url().replace("//", "//scim:s3cret@");
    let connection = open(&Settings::new(&url)).await;
    connection.run(&count(), KEY, vec![]).await.unwrap();
    assert!(!connection.health().unwrap().words().contains("could not tell"));
    let elsewhere = connection.run(&count(), "other:{default}:", vec![]).await.unwrap_err();
    assert!(matches!(elsewhere, CallError::Refused { .. }), "{elsewhere:?}");

    let store = RedisStore::open(&Settings::new(&url), Options::default())
        .await
        .unwrap();
    let (tenant, now) = (Tenant::new("default"), jiff::Timestamp::UNIX_EPOCH);
    store.feed_id(&tenant).await.unwrap();
    store.summary(&tenant).await.unwrap();
    store.sweep(&tenant, now).await.unwrap();
    store
        .claim(&tenant, now, std::time::Duration::from_secs(1), 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_said_at_once_and_never_repeated() {
    let server = Server::start("--requirepass s3cret").await;
    for credentials in ["", "//:wr0ng@", "//nobody:wr0ng@"] {
        let url = match credentials {
            "" => server.url(),
            credentials => server.url().replace("//", credentials),
        };
        let error = Connection::open(&Settings::new(&url)).await.err().unwrap();
        assert!(matches!(error, OpenError::Credentials { .. }), "{error:?}");
        let said = format!("{error:?} {}", service_runtime::Chain(&error));
        assert!(!said.contains("wr0ng"), "{said}");
    }
}

#[tokio::test]
async fn a_password_file_is_read_anew_for_each_connection() {
    let server = Server::start("--user scim on >old ~* +@all").await;
    let file = server.folder.path().join("password");
    std::fs::write(&file, "old\n").unwrap();
    let settings = Settings {
        password_file: Some(file.clone()),
        ..Settings::new(&server.url().replace("//", "//scim@"))
    };
    let connection = open(&settings).await;
    connection.run(&count(), KEY, vec![]).await.unwrap();
    std::fs::write(&file, "new").unwrap();
    let () = server.ask("ACL SETUSER scim >new <old").await;
    let _: i64 = server.ask("CLIENT KILL USER scim").await;
    super::until("it is connected by the new password", async || {
        connection.run(&count(), KEY, vec![]).await.is_ok()
    })
    .await;
}

/// A certificate of a new authority for this machine.
fn certificates(folder: &Path) {
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem &&
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > san &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout key.pem -out csr &&
        openssl x509 -req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out cert.pem";
    let made = Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test]
async fn tls_with_certificates_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name);
    let (port, at) = (free_port(), folder.path().display());
    let options = format!(
        "--port 0 --tls-port {port} --tls-cert-file {at}/cert.pem --tls-key-file {at}/key.pem --tls-ca-cert-file {at}/ca.pem --tls-auth-clients yes"
    );
    let _server = Server::on(port, &options).await;
    let settings = Settings {
        ca_file: Some(file("ca.pem")),
        cert_file: Some(file("cert.pem")),
        key_file: Some(file("key.pem")),
        ..Settings::new(&format!("rediss://localhost:{port}"))
    };
    open(&settings).await.run(&count(), KEY, vec![]).await.unwrap();

    let system_roots = Settings {
        ca_file: None,
        ..settings.clone()
    };
    let nobody = Settings {
        cert_file: None,
        key_file: None,
        ..settings.clone()
    };
    let plain = Settings {
        ca_file: None,
        cert_file: None,
        key_file: None,
        ..Settings::new(&format!("redis://localhost:{port}"))
    };
    for wrong in [system_roots, nobody, plain] {
        let dialer = super::super::Dialer::new(wrong.clone().into(), wrong.target().unwrap().into());
        let error = dialer.dial(|| {}).await.err().unwrap();
        assert!(
            matches!(error, OpenError::Unreachable { .. } | OpenError::Silent { .. }),
            "{error:?}"
        );
    }
}
