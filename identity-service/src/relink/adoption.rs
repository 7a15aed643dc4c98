//! What each policy of adoption would do about an object that a resource would meet. The adapter is asked for the plan of that
//! resource under each, so that its answer is the rule itself.

use proto::{
    adapter::v1::{
        Adoption, ApplyGroupRequest, ApplyUserRequest, PlanGroupRequest, PlanUserRequest, apply_group_request,
        apply_user_request, plan_group_response, plan_user_response,
    },
    error::{Details, ErrorReason},
    resource::v1::{Group, User},
};
use scim::fold_case;
use tonic::Status;

use super::{Entry, Relink, Verdict};
use crate::{
    error::Error,
    id::{Kind, Tenant},
    record::Record,
    tenants::Served,
};

/// What the policies would do about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Why `matching` would not take it over; `None` when it would.
    pub matching: Option<String>,
    /// Why `listed` would not, were its name on the list; `None` when it would.
    pub listed: Option<String>,
    /// Whether its name is on the list.
    pub is_on_list: bool,
}

impl Relink {
    /// What the policies would do about an entry's object; `None` where no policy comes into it: it is another's of ours or
    /// ambiguous, or the resource is gone.
    pub async fn outlook(&self, served: &Served, entry: &Entry) -> Result<Option<Outlook>, Error> {
        let tenant = &served.tenant;
        if !matches!(entry.verdict, Verdict::Link | Verdict::Protected) {
            return Ok(None);
        }
        let Some(record) = self.store.get(tenant, entry.kind, entry.id).await? else {
            return Ok(None);
        };
        let is_on_list = served.adopt_list.contains(&fold_case(&entry.platform_name));
        let matching = self.ask(tenant, entry, &record, Adoption::Matching).await?;
        // What may be taken by its name alone may be taken by the list.
        let listed = match matching {
            None => None,
            Some(_) => self.ask(tenant, entry, &record, Adoption::Listed).await?,
        };
        Ok(Some(Outlook {
            matching,
            listed,
            is_on_list,
        }))
    }

    /// Why the object would not be taken over; `None` when it would.
    async fn ask(
        &self,
        tenant: &Tenant,
        entry: &Entry,
        record: &Record,
        adoption: Adoption,
    ) -> Result<Option<String>, Error> {
        let (tenant, resource_id) = (tenant.to_string(), entry.id.to_string());
        let mut adapter = self.adapter.clone();
        let answer = match entry.kind {
            Kind::User => {
                let user = record.clone().into_message::<User>()?;
                let apply = ApplyUserRequest {
                    tenant,
                    resource_id,
                    adoption: adoption.into(),
                    wanted: Some(apply_user_request::Wanted::User(user)),
                    ..ApplyUserRequest::default()
                };
                let request = PlanUserRequest { apply: Some(apply) };
                let answer = adapter.plan_user(request).await;
                answer.map(|answer| match answer.into_inner().outcome {
                    Some(plan_user_response::Outcome::Planned(planned)) => planned.adopts,
                    _ => None,
                })
            }
            Kind::Group => {
                let group = record.clone().into_message::<Group>()?;
                let apply = ApplyGroupRequest {
                    tenant,
                    resource_id,
                    adoption: adoption.into(),
                    wanted: Some(apply_group_request::Wanted::Group(group)),
                    ..ApplyGroupRequest::default()
                };
                let request = PlanGroupRequest { apply: Some(apply) };
                let answer = adapter.plan_group(request).await;
                answer.map(|answer| match answer.into_inner().outcome {
                    Some(plan_group_response::Outcome::Planned(planned)) => planned.adopts,
                    _ => None,
                })
            }
        };
        match answer {
            Ok(Some(_)) => Ok(None),
            Ok(None) => Ok(Some("it is not found by its name any more".to_owned())),
            Err(status) if is_verdict(&status) => Ok(Some(status.message().to_owned())),
            Err(status) => Err(Error::Adapter(status)),
        }
    }
}

/// Whether a failure is about the object, and not the Platform's weather.
fn is_verdict(status: &Status) -> bool {
    use ErrorReason::{InvalidRequest, PlatformAmbiguous, PlatformObjectExists, PlatformProtected, PlatformRefused};
    let verdicts = [
        PlatformObjectExists,
        PlatformAmbiguous,
        PlatformProtected,
        PlatformRefused,
        InvalidRequest,
    ];
    Details::of(status).is_some_and(|details| verdicts.contains(&details.reason))
}
