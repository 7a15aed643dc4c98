//! Users, passwords and certificates.

use std::path::Path;

use redis_for_tests::{Options as ServerOptions, RedisServer};

use super::{
    CallError, KEY, Settings, count, open,
    servers::{ask, start},
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
    rule.replace("user ", "ACL SETUSER ").replace("PASSWORD", "s3cret")
}

#[tokio::test]
async fn the_documented_acl_is_enough() {
    let server = start(&[]).await;
    let () = ask(&server, &recommended()).await;
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
    let server = start(&[]).await;
    let () = ask(&server, "CONFIG SET requirepass s3cret").await;
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
    let server = start(&[]).await;
    let () = ask(&server, "ACL SETUSER scim on >old ~* +@all").await;
    let file = server.folder().join("password");
    std::fs::write(&file, "old\n").unwrap();
    let settings = Settings {
        password_file: Some(file.clone()),
        ..Settings::new(&server.url().replace("//", "//scim@"))
    };
    let connection = open(&settings).await;
    connection.run(&count(), KEY, vec![]).await.unwrap();
    std::fs::write(&file, "new").unwrap();
    let () = ask(&server, "ACL SETUSER scim >new <old").await;
    let _: i64 = ask(&server, "CLIENT KILL USER scim").await;
    super::until("it is connected by the new password", async || {
        connection.run(&count(), KEY, vec![]).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn tls_with_certificates_on_both_sides() {
    let server = RedisServer::with(ServerOptions {
        tls: true,
        ..ServerOptions::settings(&["tls-auth-clients yes"])
    })
    .await;
    let (port, file) = (server.port(), |path: &Path| Some(path.to_owned()));
    let settings = Settings {
        ca_file: file(server.ca_file()),
        cert_file: file(server.cert_file()),
        key_file: file(server.key_file()),
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
