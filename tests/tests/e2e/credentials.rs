//! Who gets in, and who does not: each kind of credential, over whole conversations and whole cycles of the simulated Entra.

mod clients;
mod cycles;
mod entra_tokens;
mod tokens;

use std::sync::Arc;

use entra_simulator::Issuer;
use proto::identity::v1::{AssertionTrust, CreateClientRequest};

use crate::deployment::{Deployment, Setup, TENANT};

/// The audience of assertions for the clients of these tests.
const AUDIENCE: &str = "api://6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c0003";

/// An Entra, and a deployment that fetches its keys there and takes its own tokens.
pub(crate) async fn with_entra(setup: Setup) -> (Arc<Issuer>, Deployment) {
    let issuer = Issuer::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let authority = issuer.authority();
    let setup = setup
        .identity(&[&format!("--entra-token-tenant={}", issuer.tenant_id)])
        .gateway(&[
            &format!("--entra-authority={authority}"),
            &format!("--entra-sts={authority}"),
        ]);
    (Arc::new(issuer), setup.start().await)
}

impl Deployment {
    /// A client with a secret: its client id, and the secret.
    async fn client(&self, name: &str) -> (String, String) {
        self.new_client(name, None).await
    }

    /// A client that shows assertions of that Entra: its client id.
    async fn client_of(&self, name: &str, issuer: &Issuer) -> String {
        let trust = AssertionTrust {
            entra_tenant_id: issuer.tenant_id.clone(),
            subject: issuer.subject.clone(),
            audiences: vec![AUDIENCE.to_owned()],
            applications: vec![],
        };
        self.new_client(name, Some(trust)).await.0
    }

    async fn new_client(&self, name: &str, assertion: Option<AssertionTrust>) -> (String, String) {
        let request = CreateClientRequest {
            tenant: TENANT.to_owned(),
            name: name.to_owned(),
            expires_at: None,
            assertion,
            request_id: None,
        };
        let made = self.credentials().create_client(request).await.unwrap().into_inner();
        (made.credential.unwrap().client_id, made.client_secret)
    }
}
