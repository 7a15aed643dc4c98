//! Entra as an issuer of tokens: signs assertions and its own tokens, and publishes the keys that they are checked by, where a
//! gateway's `ENTRA_AUTHORITY` leads. What is wrong with keys and answers is set at will.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{StatusCode, header::LOCATION};
use rsa::{RsaPrivateKey, pkcs1::EncodeRsaPrivateKey, rand_core::OsRng, traits::PublicKeyParts};
use serde_json::{Value, json};
use service_runtime::{Lifecycle, OpsArgs, Running};
use uuid::Uuid;

/// Who asks for tokens in an assertion, and who Entra is in its own.
const PROVISIONING_SERVICE: &str = "cb1d50fe-8ed0-4944-9e7d-5981aad3bc4b";
const ENTRA_PROVISIONING: &str = "00000014-0000-0000-c000-000000000000";
/// As what it names a custom application in its own tokens.
const CUSTOM_APPLICATION: &str = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621";
/// How long a token of Entra is good, in seconds.
const LIFETIME: i64 = 3900;

/// How the key sets are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeySetFault {
    /// As they should be.
    #[default]
    None,
    /// With 500.
    Down,
    /// After so long.
    Slow(Duration),
    /// With far more than anybody reads.
    Huge,
    /// With what is no key set.
    Garbage,
    /// By leading elsewhere.
    Redirect,
}

/// The issuer, serving its key sets until it is dropped.
pub struct Issuer {
    running: Running,
    shared: Arc<Shared>,
    /// The Entra tenant.
    pub tenant_id: String,
    /// The service principal that provisions.
    pub subject: String,
}

struct Shared {
    keys: Mutex<Keys>,
}

struct Keys {
    tenant_id: String,
    /// The newest signs.
    all: Vec<Key>,
    fault: KeySetFault,
    asked: u64,
}

struct Key {
    id: String,
    private: EncodingKey,
    jwk: Value,
}

impl Issuer {
    /// Starts one with a key of its own, for a made-up Entra tenant.
    pub async fn start(listen: SocketAddr) -> Result<Self, service_runtime::Error> {
        let tenant_id = Uuid::new_v4().to_string();
        let shared = Arc::new(Shared {
            keys: Mutex::new(Keys {
                tenant_id: tenant_id.clone(),
                all: vec![Key::generate().await],
                fault: KeySetFault::None,
                asked: 0,
            }),
        });
        let router = Router::new()
            .route("/{tenant}/discovery/v2.0/keys", get(key_set))
            .with_state(Arc::clone(&shared));
        let listener = service_runtime::bind(listen).await?;
        let running =
            service_runtime::serve_http(listener, router, Lifecycle::start("issuer", &OpsArgs::default()).await?)?;
        Ok(Self {
            running,
            shared,
            tenant_id,
            subject: Uuid::new_v4().to_string(),
        })
    }

    /// Signs for another Entra tenant than the made-up one.
    pub fn be_tenant(&mut self, tenant_id: &str) {
        self.tenant_id = tenant_id.to_owned();
        self.shared.keys().tenant_id = tenant_id.to_owned();
    }

    /// Where it is: a gateway's `ENTRA_AUTHORITY`, and its `ENTRA_STS`.
    pub fn authority(&self) -> String {
        format!("http://{}", self.running.addr)
    }

    /// The claims of an assertion that is as it should be.
    pub fn assertion_claims(&self, audience: &str) -> Value {
        let now = now();
        json!({
            "iss": format!("{}/{}/v2.0", self.authority(), self.tenant_id),
            "aud": audience,
            "sub": self.subject,
            "oid": self.subject,
            "tid": self.tenant_id,
            "azp": PROVISIONING_SERVICE,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
            "uti": Uuid::new_v4().to_string(),
            "ver": "2.0",
        })
    }

    /// An assertion for that audience.
    pub fn assertion(&self, audience: &str) -> String {
        self.sign(&self.assertion_claims(audience))
    }

    /// The claims of a token that Entra makes for itself.
    pub fn own_token_claims(&self) -> Value {
        let now = now();
        json!({
            "iss": format!("{}/{}/", self.authority(), self.tenant_id),
            "aud": CUSTOM_APPLICATION,
            "sub": self.subject,
            "tid": self.tenant_id,
            "appid": ENTRA_PROVISIONING,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
            "ver": "1.0",
        })
    }

    /// A token that Entra makes for itself.
    pub fn own_token(&self) -> String {
        self.sign(&self.own_token_claims())
    }

    /// Signs these claims by the newest key.
    pub fn sign(&self, claims: &Value) -> String {
        let keys = self.shared.keys();
        let key = keys.all.last().expect("there is always a key");
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(key.id.clone());
        jsonwebtoken::encode(&header, claims, &key.private).expect("claims are JSON, and the key is one of RSA")
    }

    /// Signs by a new key from now on; the others go out of the key set, if told so.
    pub async fn rotate(&self, forget_others: bool) {
        let key = Key::generate().await;
        let mut keys = self.shared.keys();
        if forget_others {
            keys.all.clear();
        }
        keys.all.push(key);
    }

    /// Answers for key sets like that from now on.
    pub fn fault(&self, fault: KeySetFault) {
        self.shared.keys().fault = fault;
    }

    /// How often a key set was asked for.
    pub fn asked(&self) -> u64 {
        self.shared.keys().asked
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer")
            .field("authority", &self.authority())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn keys(&self) -> std::sync::MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    /// Takes a second of a whole processor.
    async fn generate() -> Self {
        let made = tokio::task::spawn_blocking(Self::make).await;
        made.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }

    fn make() -> Self {
        let private = RsaPrivateKey::new(&mut OsRng, 2048).expect("2048 bits are possible");
        let der = private.to_pkcs1_der().expect("a new key can be encoded");
        let id = Uuid::new_v4().simple().to_string();
        let number = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let jwk = json!({
            "kty": "RSA",
            "use": "sig",
            "kid": id,
            "n": number(private.n()),
            "e": number(private.e()),
        });
        Self {
            id,
            private: EncodingKey::from_rsa_der(der.as_bytes()),
            jwk,
        }
    }
}

async fn key_set(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>) -> Response {
    let (fault, set, known) = {
        let mut keys = shared.keys();
        keys.asked += 1;
        let all: Vec<_> = keys.all.iter().map(|key| key.jwk.clone()).collect();
        (keys.fault, json!({ "keys": all }), keys.tenant_id.clone())
    };
    if tenant != known {
        return StatusCode::NOT_FOUND.into_response();
    }
    match fault {
        KeySetFault::None => axum::Json(set).into_response(),
        KeySetFault::Down => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        KeySetFault::Slow(pause) => {
            tokio::time::sleep(pause).await;
            axum::Json(set).into_response()
        }
        KeySetFault::Huge => {
            let padding = "x".repeat(8 << 20);
            axum::Json(json!({ "keys": set["keys"], "padding": padding })).into_response()
        }
        KeySetFault::Garbage => "<html>maintenance</html>".into_response(),
        KeySetFault::Redirect => (StatusCode::FOUND, [(LOCATION, "http://169.254.169.254/")]).into_response(),
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
