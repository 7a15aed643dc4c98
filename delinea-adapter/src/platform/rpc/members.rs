//! The members of a group, page by page, however many they are. Nothing of earlier pages is kept, so a member may come twice;
//! a list that is not whole is an error, never a shorter list.

use serde_json::{Value, json};

use super::{
    super::{
        failure::{Failure, Trouble},
        groups::Member,
        rows::column,
    },
    Rpc, reports,
    roles::{MEMBERS, PAGED_MEMBERS},
};

/// More members are no list, but one that has no end.
const MOST_MEMBERS: usize = 10_000_000;

/// A list of members under way.
pub(crate) struct MemberPages<'a> {
    rpc: &'a Rpc,
    group: String,
    next: usize,
    rows: usize,
    /// With whom the last page began.
    first: Option<String>,
    ended: bool,
}

impl Rpc {
    /// Begins a list; nothing is called before the first page is asked for.
    pub(crate) fn all_members(&self, group: &str) -> MemberPages<'_> {
        MemberPages {
            rpc: self,
            group: group.to_owned(),
            next: 1,
            rows: 0,
            first: None,
            ended: false,
        }
    }
}

impl MemberPages<'_> {
    /// The next members; `None` after the last. After a failure the same page may be asked for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Member>>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let (method, result) = self.read().await?;
        let incomplete = || Failure::unavailable(method, Trouble::Incomplete);
        let (mut members, counted) = members(result).ok_or_else(incomplete)?;
        let first = members.first().map(|member| member.id.clone());
        // Where there are no pages, the same one comes again and again.
        if first == self.first {
            members.clear();
        }
        self.first = first;
        self.next += 1;
        self.rows += members.len();
        if self.rows > MOST_MEMBERS {
            return Err(Failure::unavailable(method, Trouble::TooLong));
        }
        let all = counted.is_none_or(|count| self.rows >= count);
        if !all && (members.is_empty() || method == MEMBERS) {
            return Err(incomplete());
        }
        self.ended = members.is_empty() || method == MEMBERS || (all && counted.is_some());
        Ok((!members.is_empty()).then_some(members))
    }

    /// A page; or the whole list, where the Platform gives no pages.
    async fn read(&self) -> Result<(&'static str, Value), Failure> {
        let client = &self.rpc.client;
        let size = self.rpc.reports.page_size;
        let body =
            json!({"Name": self.group, "PageNumber": self.next, "PageSize": size, "SortBy": "", "Ascending": true});
        match client.call_for_list(PAGED_MEMBERS, &body).await {
            Ok(result) => Ok((PAGED_MEMBERS, result)),
            Err(failure) if failure.is_later() || self.next > 1 => Err(failure),
            Err(_) => {
                let result = client.call_for_list(MEMBERS, &json!({"name": self.group})).await?;
                Ok((MEMBERS, result))
            }
        }
    }
}

/// The members in a result, and how many there are in all where it says so. A result that is no list does not say that
/// there are none.
fn members(result: Value) -> Option<(Vec<Member>, Option<usize>)> {
    let is_list = result
        .as_object()
        .is_some_and(|result| column(result, "Results").is_some());
    let (rows, counted) = reports::rows(result).filter(|_| is_list)?;
    let members: Vec<_> = rows.iter().map(Member::of).collect();
    members
        .iter()
        .all(|member| !member.id.is_empty())
        .then_some((members, counted))
}
