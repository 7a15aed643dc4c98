//! What the Platform holds, streamed in batches, for comparison with what it should hold. These calls can wait: each is made
//! in a spare moment, and one that fails for the moment is made again.

use std::time::Duration;

use proto::adapter::v1::{
    ListPlatformGroupMembersResponse, ListPlatformGroupsResponse, ListPlatformUsersResponse, PlatformGroup,
    PlatformUser,
};
use tokio::{sync::mpsc, time::sleep};
use tonic::Status;

use crate::{
    apply::Tenant,
    config::GroupBackend,
    error::ApplyError,
    platform::{
        accounts::{AccountPages, Listed},
        failure::{Failure, Trouble},
        groups::{GroupPages, Member, MemberPages, Role},
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
    let backend = tenant.platform.user_backend().await?;
    let mut pages = tenant.platform.all_accounts(backend);
    while let Some(page) = next_page(tenant, &mut pages).await? {
        let mut page = page.into_iter().peekable();
        while page.peek().is_some() {
            let users = page.by_ref().take(BATCH).map(|account| user(tenant, account)).collect();
            if sink.send(Ok(ListPlatformUsersResponse { users })).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn send_groups(tenant: &Tenant, sink: &Sink<ListPlatformGroupsResponse>) -> Result<(), Failure> {
    // Where groups are switched off, there are none to compare.
    if tenant.config.backends.group_backend == GroupBackend::Off {
        return Ok(());
    }
    let backend = tenant.platform.group_backend().await?;
    let mut pages = tenant.platform.all_roles(backend);
    while let Some(page) = next_groups(tenant, &mut pages).await? {
        let groups = page.into_iter().map(|role| PlatformGroup {
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

/// The next page of accounts, in a spare moment.
async fn next_page(tenant: &Tenant, pages: &mut AccountPages<'_>) -> Result<Option<Vec<Listed>>, Failure> {
    let mut patience = Patience::default();
    loop {
        tenant.platform.client.spare().await;
        match pages.next().await {
            Err(failure) => patience.after(failure).await?,
            page => return page,
        }
    }
}

/// The next page of groups, in a spare moment.
async fn next_groups(tenant: &Tenant, pages: &mut GroupPages<'_>) -> Result<Option<Vec<Role>>, Failure> {
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
    let protected = tenant.is_caller(&account.id, &account.name) || tenant.config.is_protected(&account.name);
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
