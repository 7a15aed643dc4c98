//! `RelinkService`.

use std::{future::Future, pin::Pin};

use futures_util::{Stream, StreamExt, stream};
use proto::identity::v1::{
    AdoptionOutlook, ApplyRelinkRequest, ApplyRelinkResponse, PlanRelinkRequest, PlanRelinkResponse, RelinkEntry,
    RelinkSummary, RelinkVerdict, apply_relink_response, plan_relink_response, relink_service_server::RelinkService,
};
use tonic::{Request, Response, Status, async_trait};

use std::sync::Arc;

use super::{directories::Directories, origin};
use crate::{
    error::Error,
    id::Tenant,
    relink::{Entry, Outlook, Plan, Relink, Verdict},
    tenants::Served,
};

/// The service.
pub(crate) struct Relinks {
    directories: Directories,
    relink: Relink,
}

impl Relinks {
    pub(crate) fn new(directories: Directories, relink: Relink) -> Self {
        Self { directories, relink }
    }
}

/// A part of a plan.
enum Part {
    Entry(RelinkEntry),
    Summary(RelinkSummary),
}

type Parts = Pin<Box<dyn Stream<Item = Result<Part, Status>> + Send>>;

#[async_trait]
impl RelinkService for Relinks {
    type PlanRelinkStream = Pin<Box<dyn Stream<Item = Result<PlanRelinkResponse, Status>> + Send>>;
    type ApplyRelinkStream = Pin<Box<dyn Stream<Item = Result<ApplyRelinkResponse, Status>> + Send>>;

    async fn plan_relink(
        &self,
        request: Request<PlanRelinkRequest>,
    ) -> Result<Response<Self::PlanRelinkStream>, Status> {
        use plan_relink_response::Part as Wire;
        let request = request.into_inner();
        let served = self.directories.served(&request.tenant)?;
        let (relink, of) = (self.relink.clone(), served.tenant.clone());
        let plan = async move { relink.plan(&of).await };
        let asking = request.with_adoption.then(|| self.relink.clone());
        let parts = parts(plan, served, asking).map(|part| {
            let part = match part? {
                Part::Entry(entry) => Wire::Entry(entry),
                Part::Summary(summary) => Wire::Summary(summary),
            };
            Ok(PlanRelinkResponse { part: Some(part) })
        });
        Ok(Response::new(Box::pin(parts)))
    }

    async fn apply_relink(
        &self,
        request: Request<ApplyRelinkRequest>,
    ) -> Result<Response<Self::ApplyRelinkStream>, Status> {
        use apply_relink_response::Part as Wire;
        let origin = origin(request.metadata());
        let ApplyRelinkRequest { tenant, digest } = request.into_inner();
        let served = self.directories.served(&tenant)?;
        let (relink, of) = (self.relink.clone(), served.tenant.clone());
        let done = async move { relink.apply(&of, &digest, origin.as_ref()).await };
        let parts = parts(done, served, None).map(|part| {
            let part = match part? {
                Part::Entry(entry) => Wire::Entry(entry),
                Part::Summary(summary) => Wire::Summary(summary),
            };
            Ok(ApplyRelinkResponse { part: Some(part) })
        });
        Ok(Response::new(Box::pin(parts)))
    }
}

/// The parts of a plan, which is made when somebody reads: that takes longer than a caller waits for an answer to begin. Of each
/// entry it is asked what the policies of adoption would do, where that is wanted.
fn parts(
    plan: impl Future<Output = Result<Plan, Error>> + Send + 'static,
    served: Arc<Served>,
    asking: Option<Relink>,
) -> Parts {
    let parts = stream::once(Box::pin(plan)).flat_map(move |plan| {
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => return stream::iter([Err(error.into())]).boxed(),
        };
        let summary = Part::Summary(summary(&served.tenant, &plan));
        let (served, asking) = (served.clone(), asking.clone());
        let entries = stream::iter(plan.entries).then(move |entry| {
            let (served, asking) = (served.clone(), asking.clone());
            Box::pin(async move {
                let outlook = match asking {
                    Some(relink) => relink.outlook(&served, &entry).await?,
                    None => None,
                };
                Ok(Part::Entry(wire(entry, outlook)))
            })
        });
        entries.chain(stream::iter([Ok(summary)])).boxed()
    });
    Box::pin(parts)
}

fn summary(tenant: &Tenant, plan: &Plan) -> RelinkSummary {
    let count = |verdict| number(plan.of(verdict).count() as u64);
    RelinkSummary {
        digest: plan.digest(tenant),
        linked: count(Verdict::Link),
        ambiguous: count(Verdict::Ambiguous),
        protected: count(Verdict::Protected),
        owned: count(Verdict::Owned),
        changed: count(Verdict::Changed),
        unmatched: number(plan.unmatched),
        strangers: number(plan.strangers),
    }
}

fn wire(entry: Entry, outlook: Option<Outlook>) -> RelinkEntry {
    let verdict = match entry.verdict {
        Verdict::Link => RelinkVerdict::Link,
        Verdict::Ambiguous => RelinkVerdict::Ambiguous,
        Verdict::Protected => RelinkVerdict::Protected,
        Verdict::Owned => RelinkVerdict::Owned,
        Verdict::Changed => RelinkVerdict::Changed,
    };
    RelinkEntry {
        verdict: verdict as i32,
        resource_type: entry.kind.name().to_owned(),
        resource_id: entry.id.to_string(),
        platform_id: entry.platform_id,
        platform_name: entry.platform_name,
        adoption: outlook.map(|outlook| AdoptionOutlook {
            matching: outlook.matching.is_none(),
            matching_why_not: outlook.matching,
            listed: outlook.listed.is_none(),
            listed_why_not: outlook.listed,
            is_on_list: outlook.is_on_list,
        }),
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
