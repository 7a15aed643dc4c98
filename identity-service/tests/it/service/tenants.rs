//! Many tenants in one service: what each has is its own, and their file is followed.

mod crossing;
mod following;

use std::path::PathBuf;

use identity_service::{Engine, start_on};
use proto::{
    identity::v1::{
        CreateGroupRequest, CreateUserRequest, GetUserRequest, ListUsersRequest, SummarizeDeliveriesRequest,
        SummarizeDeliveriesResponse, audit_service_client::AuditServiceClient,
        change_service_client::ChangeServiceClient, credential_service_client::CredentialServiceClient,
        delivery_service_client::DeliveryServiceClient, drift_service_client::DriftServiceClient,
        group_service_client::GroupServiceClient, relink_service_client::RelinkServiceClient,
        schema_service_client::SchemaServiceClient, user_service_client::UserServiceClient,
    },
    resource::v1::{Group, Member, User},
};
use service_runtime::Running;
use tonic::{Status, transport::Channel};

use super::config;

/// A service that delivers nothing, and the file with its tenants.
struct Tenants {
    folder: tempfile::TempDir,
    running: Running,
    channel: Channel,
}

impl Tenants {
    async fn on(engine: impl Into<Engine>, text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tenants.toml");
        std::fs::write(&path, text).unwrap();
        let flags = [
            "--delivery-concurrency=0".to_owned(),
            format!("--tenants-file={}", path.display()),
            "--tenants-poll=20ms".to_owned(),
        ];
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let running = start_on(config(&flags), engine).await.unwrap();
        let endpoint = Channel::from_shared(format!("http://{}", running.addr)).unwrap();
        let channel = endpoint.connect().await.unwrap();
        Self {
            folder,
            running,
            channel,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts this into the file's place in one step.
    fn write(&self, text: &str) {
        std::fs::write(self.path("beside"), text).unwrap();
        std::fs::rename(self.path("beside"), self.path("tenants.toml")).unwrap();
    }

    fn users(&self) -> UserServiceClient<Channel> {
        UserServiceClient::new(self.channel.clone())
    }

    fn groups(&self) -> GroupServiceClient<Channel> {
        GroupServiceClient::new(self.channel.clone())
    }

    fn deliveries(&self) -> DeliveryServiceClient<Channel> {
        DeliveryServiceClient::new(self.channel.clone())
    }

    fn changes(&self) -> ChangeServiceClient<Channel> {
        ChangeServiceClient::new(self.channel.clone())
    }

    fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    fn drift(&self) -> DriftServiceClient<Channel> {
        DriftServiceClient::new(self.channel.clone())
    }

    fn relink(&self) -> RelinkServiceClient<Channel> {
        RelinkServiceClient::new(self.channel.clone())
    }

    fn schemas(&self) -> SchemaServiceClient<Channel> {
        SchemaServiceClient::new(self.channel.clone())
    }

    fn credentials(&self) -> CredentialServiceClient<Channel> {
        CredentialServiceClient::new(self.channel.clone())
    }

    /// Creates a user and gives its id.
    async fn user(&self, tenant: &str, name: &str) -> Result<String, Status> {
        let request = CreateUserRequest {
            tenant: tenant.to_owned(),
            user: Some(user(name)),
            request_id: None,
        };
        let created = self.users().create_user(request).await?;
        Ok(created.into_inner().user.unwrap().id.unwrap())
    }

    async fn get_user(&self, tenant: &str, id: &str) -> Result<User, Status> {
        let request = GetUserRequest {
            tenant: tenant.to_owned(),
            id: id.to_owned(),
            include_groups: true,
        };
        let got = self.users().get_user(request).await?;
        Ok(got.into_inner().user.unwrap())
    }

    /// Creates a group and gives its id.
    async fn group(&self, tenant: &str, name: &str, members: &[String]) -> Result<String, Status> {
        let request = CreateGroupRequest {
            tenant: tenant.to_owned(),
            group: Some(group(name, members)),
            request_id: None,
        };
        let created = self.groups().create_group(request).await?;
        Ok(created.into_inner().group.unwrap().id.unwrap())
    }

    async fn summary(&self, tenant: &str) -> Result<SummarizeDeliveriesResponse, Status> {
        let request = SummarizeDeliveriesRequest {
            tenant: tenant.to_owned(),
        };
        Ok(self.deliveries().summarize_deliveries(request).await?.into_inner())
    }

    async fn list_users(&self, tenant: &str, filter: Option<&str>) -> Result<Vec<User>, Status> {
        let request = ListUsersRequest {
            tenant: tenant.to_owned(),
            filter: filter.map(str::to_owned),
            include_groups: true,
            ..ListUsersRequest::default()
        };
        Ok(self.users().list_users(request).await?.into_inner().users)
    }
}

fn user(name: &str) -> User {
    User {
        user_name: Some(name.to_owned()),
        external_id: Some(format!("external-{name}")),
        ..User::default()
    }
}

fn group(name: &str, members: &[String]) -> Group {
    let member = |id: &String| Member {
        value: Some(id.clone()),
        ..Member::default()
    };
    Group {
        display_name: Some(name.to_owned()),
        members: members.iter().map(member).collect(),
        ..Group::default()
    }
}
