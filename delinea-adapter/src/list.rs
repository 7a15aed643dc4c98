//! What the Platform holds, streamed in batches, for comparison with what it should hold. These calls can wait: each is made
//! in a spare moment, and one that fails for the moment is made again.

use std::time::Duration;

use proto::adapter::v1::{
    ListPlatformGroupMembersResponse, ListPlatformGroupsResponse, ListPlatformUsersResponse, PlatformGroup,
    PlatformUser,
};
use serde_json::Value;
use tokio::{sync::mpsc, time::sleep};
use tonic::Status;

use crate::{
    apply::Tenant,
    error::ApplyError,
    platform::{
        failure::{Failure, Trouble},
        members::MemberPages,
        reports::Pages,
        roles::{self, Member},
        rows::Row,
        users::Listed,
    },
};

/// How many entries one message has at most.
const BATCH: usize = 500;
/// How often a page is asked for at most.
const MOST_TRIES: u32 = 4;
/// The first pause before another try; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that the Platform may ask for and have.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
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

/// Streams the members of a group, ending with the failure if there is one.
pub(crate) async fn members(tenant: &Tenant, group: &str, sink: Sink<ListPlatformGroupMembersResponse>) {
    if let Err(failure) = send_members(tenant, group, &sink).await {
        let _ = sink.send(Err(ApplyError::from(failure).status())).await;
    }
}

async fn send_users(tenant: &Tenant, sink: &Sink<ListPlatformUsersResponse>) -> Result<(), Failure> {
    let platform = &tenant.platform;
    platform.client.spare().await;
    match platform.client.get_list(LOCAL_USERS).await {
        Ok(list) => {
            let mut users = Vec::with_capacity(BATCH);
            for entry in list {
                let Value::Object(row) = entry else {
                    return Err(Failure::unavailable(LOCAL_USERS, Trouble::Incomplete));
                };
                users.push(user(tenant, platform.listed(&Row(row))));
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
        // A list too long for one answer, or for the time that one may take, is read page by page, as where there is no such
        // list.
        Err(Failure::Unavailable {
            trouble: Trouble::TooLong | Trouble::Timeout,
            ..
        }) => {}
        Err(failure) if failure.is_later() => return Err(failure),
        Err(_) => {}
    }
    let mut pages = platform.all_accounts();
    while let Some(page) = next_page(tenant, &mut pages).await? {
        let listed = page
            .iter()
            .map(|row| platform.listed(row))
            .filter(|account| account.local != Some(false));
        let users: Vec<_> = listed.map(|account| user(tenant, account)).collect();
        if !users.is_empty() && sink.send(Ok(ListPlatformUsersResponse { users })).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn send_groups(tenant: &Tenant, sink: &Sink<ListPlatformGroupsResponse>) -> Result<(), Failure> {
    let mut pages = tenant.platform.all_roles();
    while let Some(page) = next_page(tenant, &mut pages).await? {
        let groups = page
            .iter()
            .map(|row| roles::read(row, row.text("ID")))
            .map(|role| PlatformGroup {
                protected: tenant.config.is_protected(&role.name),
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

async fn send_members(
    tenant: &Tenant,
    group: &str,
    sink: &Sink<ListPlatformGroupMembersResponse>,
) -> Result<(), Failure> {
    let mut pages = tenant.platform.all_members(group);
    while let Some(page) = next_members(tenant, &mut pages).await? {
        let mut page = page.into_iter().peekable();
        while page.peek().is_some() {
            let (accounts, others): (Vec<_>, Vec<_>) = page.by_ref().take(BATCH).partition(Member::is_account);
            let batch = ListPlatformGroupMembersResponse {
                user_ids: accounts.into_iter().map(|member| member.id).collect(),
                others: i32::try_from(others.len()).unwrap_or(i32::MAX),
            };
            if sink.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The next page of a report, in a spare moment.
async fn next_page(tenant: &Tenant, pages: &mut Pages<'_>) -> Result<Option<Vec<Row>>, Failure> {
    let mut patience = Patience::default();
    loop {
        tenant.platform.client.spare().await;
        match pages.next().await {
            Err(failure) => patience.after(failure).await?,
            page => return page,
        }
    }
}

/// The next page of members, in a spare moment.
async fn next_members(tenant: &Tenant, pages: &mut MemberPages<'_>) -> Result<Option<Vec<Member>>, Failure> {
    let mut patience = Patience::default();
    loop {
        tenant.platform.client.spare().await;
        match pages.next().await {
            Err(failure) => patience.after(failure).await?,
            page => return page,
        }
    }
}

/// What a long list has with one page: thousands of pages should not be read again because one failed.
#[derive(Default)]
struct Patience {
    tries: u32,
}

impl Patience {
    /// Waits after a failure that may pass; gives it back where it will not, or has not for long enough.
    async fn after(&mut self, failure: Failure) -> Result<(), Failure> {
        self.tries += 1;
        let asked = failure.retry_after().unwrap_or_default();
        let hopeless = matches!(
            failure,
            Failure::Unavailable {
                trouble: Trouble::TooLong | Trouble::Incomplete,
                ..
            }
        );
        if hopeless || !failure.is_later() || self.tries >= MOST_TRIES || asked > LONGEST_PAUSE {
            return Err(failure);
        }
        sleep(asked.max(PAUSE * (1 << (self.tries - 1)))).await;
        Ok(())
    }
}

fn user(tenant: &Tenant, account: Listed) -> PlatformUser {
    let protected = tenant.is_caller(&account.name) || tenant.config.is_protected(&account.name);
    PlatformUser {
        platform_id: account.id,
        name: account.name,
        display_name: account.display_name,
        mail: account.mail,
        enabled: account.disabled.map(|disabled| !disabled),
        service_user: account.service_user.unwrap_or_default(),
        protected,
    }
}
