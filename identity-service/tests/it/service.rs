//! The service as a whole, over gRPC, on a store that the test has a hand on.

mod audit;
mod changes;
mod credentials;
mod failure;
mod redis;
mod sweeping;
mod tenants;

use clap::Parser;
use identity_service::{Config, start_on, store::embedded::EmbeddedStore};
use proto::{
    identity::v1::{
        CreateUserRequest, DeleteUserRequest, PatchOperation, PatchUserRequest,
        change_service_client::ChangeServiceClient, delivery_service_client::DeliveryServiceClient,
        user_service_client::UserServiceClient,
    },
    resource::v1::User,
};
use service_runtime::Running;
use tonic::{Status, transport::Channel};

const TENANT: &str = "default";

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    config: Config,
}

/// The settings that these flags make.
pub(crate) fn config(flags: &[&str]) -> Config {
    let given = [&["identity-service", "--listen=127.0.0.1:0"], flags].concat();
    Command::try_parse_from(given).unwrap().config
}

/// A service that delivers nothing.
struct Served {
    running: Running,
    channel: Channel,
}

impl Served {
    async fn on(store: EmbeddedStore) -> Self {
        Self::set(store, &[]).await
    }

    /// With these settings, too.
    async fn set(store: EmbeddedStore, flags: &[&str]) -> Self {
        let flags = [&["--delivery-concurrency=0"], flags].concat();
        Self::by(start_on(config(&flags), store).await.unwrap()).await
    }

    async fn by(running: Running) -> Self {
        let endpoint = Channel::from_shared(format!("http://{}", running.addr)).unwrap();
        let channel = endpoint.connect().await.unwrap();
        Self { running, channel }
    }

    fn changes(&self) -> ChangeServiceClient<Channel> {
        ChangeServiceClient::new(self.channel.clone())
    }

    fn users(&self) -> UserServiceClient<Channel> {
        UserServiceClient::new(self.channel.clone())
    }

    fn deliveries(&self) -> DeliveryServiceClient<Channel> {
        DeliveryServiceClient::new(self.channel.clone())
    }

    /// Gives a user a title.
    async fn entitle(&self, id: &str, title: &str) {
        let request = PatchUserRequest {
            tenant: TENANT.to_owned(),
            id: id.to_owned(),
            operations: vec![PatchOperation {
                op: "replace".to_owned(),
                path: Some("title".to_owned()),
                value: Some(serde_json::json!(title).to_string()),
                operation: None,
            }],
            ..PatchUserRequest::default()
        };
        self.users().patch_user(request).await.unwrap();
    }

    async fn delete_user(&self, id: &str) {
        let request = DeleteUserRequest {
            tenant: TENANT.to_owned(),
            id: id.to_owned(),
            ..DeleteUserRequest::default()
        };
        let deleted = UserServiceClient::new(self.channel.clone()).delete_user(request).await;
        deleted.unwrap();
    }

    /// Creates a user and gives its id.
    async fn user(&self, name: &str) -> Result<String, Status> {
        let request = CreateUserRequest {
            tenant: TENANT.to_owned(),
            user: Some(User {
                user_name: Some(name.to_owned()),
                ..User::default()
            }),
            request_id: None,
        };
        let created = UserServiceClient::new(self.channel.clone())
            .create_user(request)
            .await?;
        Ok(created.into_inner().user.unwrap().id.unwrap())
    }
}
