//! What the Platform holds, streamed in batches, for comparison with what it should hold.

use proto::adapter::v1::{ListPlatformGroupsResponse, ListPlatformUsersResponse, PlatformGroup, PlatformUser};
use serde_json::Value;
use tokio::sync::mpsc;
use tonic::Status;

use crate::{
    apply::Tenant,
    error::ApplyError,
    platform::{
        failure::{Failure, Trouble},
        roles,
        rows::Row,
        users::Listed,
    },
};

/// How many entries one message has at most.
const BATCH: usize = 500;
/// The list of local accounts: one call, no pages.
const LOCAL_USERS: &str = "entities/localusers";

/// Where batches go. The receiver may leave at any time; then the listing ends.
pub(crate) type Sink<T> = mpsc::Sender<Result<T, Status>>;

/// Streams the accounts, ending with the failure if there is one.
pub(crate) async fn users(tenant: &Tenant, sink: Sink<ListPlatformUsersResponse>) {
    if let Err(failure) = send_users(tenant, &sink).await {
        let _ = sink.send(Err(ApplyError::from(failure).status())).await;
    }
}

/// Streams the groups, ending with the failure if there is one.
pub(crate) async fn groups(tenant: &Tenant, sink: Sink<ListPlatformGroupsResponse>) {
    if let Err(failure) = send_groups(tenant, &sink).await {
        let _ = sink.send(Err(ApplyError::from(failure).status())).await;
    }
}

async fn send_users(tenant: &Tenant, sink: &Sink<ListPlatformUsersResponse>) -> Result<(), Failure> {
    let platform = &tenant.platform;
    match platform.client.get_list(LOCAL_USERS).await {
        Ok(list) => {
            let mut users = Vec::with_capacity(BATCH);
            for entry in list {
                let Value::Object(row) = entry else {
                    return Err(Failure::unavailable(LOCAL_USERS, Trouble::Incomplete));
                };
                users.push(user(platform.listed(&Row(row))));
                if users.len() == BATCH
                    && sink
                        .send(Ok(ListPlatformUsersResponse {
                            users: std::mem::take(&mut users),
                        }))
                        .await
                        .is_err()
                {
                    return Ok(());
                }
            }
            if !users.is_empty() {
                let _ = sink.send(Ok(ListPlatformUsersResponse { users })).await;
            }
            return Ok(());
        }
        // A list too long for one answer is read page by page, as where there is no such list.
        Err(Failure::Unavailable {
            trouble: Trouble::TooLong,
            ..
        }) => {}
        Err(failure) if failure.is_later() => return Err(failure),
        Err(_) => {}
    }
    let mut pages = platform.all_accounts();
    while let Some(page) = pages.next().await? {
        let listed = page
            .iter()
            .map(|row| platform.listed(row))
            .filter(|account| account.local != Some(false));
        let users: Vec<_> = listed.map(user).collect();
        if !users.is_empty() && sink.send(Ok(ListPlatformUsersResponse { users })).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn send_groups(tenant: &Tenant, sink: &Sink<ListPlatformGroupsResponse>) -> Result<(), Failure> {
    let mut pages = tenant.platform.all_roles();
    while let Some(page) = pages.next().await? {
        let groups = page
            .iter()
            .map(|row| roles::read(row, row.text("ID")))
            .map(|role| PlatformGroup {
                platform_id: role.id,
                name: role.name,
                built_in: role.built_in,
            });
        if sink
            .send(Ok(ListPlatformGroupsResponse {
                groups: groups.collect(),
            }))
            .await
            .is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}

fn user(account: Listed) -> PlatformUser {
    PlatformUser {
        platform_id: account.id,
        name: account.name,
        display_name: account.display_name,
        mail: account.mail,
        enabled: !account.disabled,
        service_user: account.service_user.unwrap_or_default(),
    }
}
