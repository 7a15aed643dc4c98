//! Whether a service can do its work: the state of each thing it depends on, and whether it is starting, running or
//! draining. Background tasks write it, `/readyz` and the gRPC health service read it. Liveness does not depend on it:
//! restarting a service does not mend its database.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use prost::Message;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::Error;

pub(crate) mod measured;

/// The metadata by which an answer about health says why: the standard message knows ready and not ready alone.
const PHASE: &str = "service-phase";
const DRAINING: &str = "draining";

/// The readiness of one service. A clone is the same readiness.
#[derive(Clone, Debug)]
pub struct Readiness {
    report: watch::Sender<Report>,
    closing: CancellationToken,
}

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It does not serve yet.
    Starting,
    /// It serves.
    Running,
    /// It is about to go: it finishes what it has begun, and what still comes should go elsewhere.
    Draining,
}

/// The state of one dependency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub enum State {
    /// It works.
    Ready,
    /// It works with a restriction; the service still takes requests.
    Degraded(String),
    /// It does not work; the service should not be sent requests.
    NotReady(String),
}

/// How a service is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does not serve yet.
    Starting,
    /// It serves, and all that it depends on works.
    Ready,
    /// It serves, with a restriction.
    Degraded,
    /// It runs, and cannot do its work.
    NotReady,
    /// It is about to go.
    Draining,
}

/// What `/readyz` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where the service is in its life.
    pub phase: Phase,
    /// Each dependency's state, by name.
    pub dependencies: BTreeMap<String, State>,
}

impl Report {
    /// Whether requests should be sent here: it runs, and no dependency says otherwise.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Running
            && !self
                .dependencies
                .values()
                .any(|state| matches!(state, State::NotReady(_)))
    }

    /// How the service is, in a word.
    pub fn standing(&self) -> Standing {
        match self.phase {
            Phase::Starting => Standing::Starting,
            Phase::Draining => Standing::Draining,
            Phase::Running if !self.is_ready() => Standing::NotReady,
            Phase::Running if self.dependencies.values().all(|state| *state == State::Ready) => Standing::Ready,
            Phase::Running => Standing::Degraded,
        }
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// A service that is starting and has named no dependency yet.
    pub fn new() -> Self {
        Self::until(CancellationToken::new())
    }

    /// As [`Self::new`]; streams that tell of it end when the token is cancelled.
    pub(crate) fn until(closing: CancellationToken) -> Self {
        Self {
            report: watch::Sender::new(Report {
                phase: Phase::Starting,
                dependencies: BTreeMap::new(),
            }),
            closing,
        }
    }

    /// Cancelled in a drain when nothing new is accepted any more.
    pub(crate) fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// Names a dependency. It counts as not ready until it says otherwise.
    pub fn dependency(&self, name: &str) -> Dependency {
        let dependency = Dependency {
            name: name.to_owned(),
            report: self.report.clone(),
        };
        dependency.set(State::NotReady("not checked yet".to_owned()));
        dependency
    }

    /// The present report.
    pub fn report(&self) -> Report {
        self.report.borrow().clone()
    }

    /// Follows the report as it changes.
    pub fn subscribe(&self) -> watch::Receiver<Report> {
        self.report.subscribe()
    }

    /// Waits until the service is ready.
    pub async fn ready(&self) {
        // The sender is ours, so the channel cannot be closed while we wait.
        let _ = self.subscribe().wait_for(Report::is_ready).await;
    }

    /// Moves on to `phase`; a service that drains never goes back.
    pub(crate) fn enter(&self, phase: Phase) {
        self.report.send_if_modified(|report| {
            let moves = report.phase != phase && report.phase != Phase::Draining;
            if moves {
                report.phase = phase;
            }
            moves
        });
    }
}

/// The handle by which one dependency's state is told. Telling the same state again costs nothing and wakes nobody.
#[derive(Clone, Debug)]
pub struct Dependency {
    name: String,
    report: watch::Sender<Report>,
}

impl Dependency {
    /// It works.
    pub fn ready(&self) {
        self.set(State::Ready);
    }

    /// It works with a restriction, which the reason names for the operator.
    pub fn degraded(&self, reason: impl Into<String>) {
        self.set(State::Degraded(reason.into()));
    }

    /// It does not work, for a reason that tells the operator where to look.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(State::NotReady(reason.into()));
    }

    /// Names it no longer: there is nothing any more that could work or not.
    pub fn forget(&self) {
        self.report
            .send_if_modified(|report| report.dependencies.remove(&self.name).is_some());
    }

    /// Tells the state.
    pub fn set(&self, state: State) {
        self.report.send_if_modified(|report| {
            if report.dependencies.get(&self.name) == Some(&state) {
                return false;
            }
            report.dependencies.insert(self.name.clone(), state);
            true
        });
    }
}

/// Adds the health service (v1) and reflection (v1 and, for older clients, v1alpha) to a service's routes.
/// `descriptors` are encoded file descriptor sets; the services they name are the ones health answers for.
pub fn grpc_routes(routes: Routes, readiness: &Readiness, descriptors: &[&[u8]]) -> Result<Routes, Error> {
    let health = GrpcHealth {
        readiness: readiness.clone(),
        services: service_names(descriptors)?,
    };
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        descriptors.iter().fold(builder, |builder, set| {
            builder.register_encoded_file_descriptor_set(set)
        })
    };
    let v1 = reflection()
        .build_v1()
        .map_err(|error| Error::Descriptors(error.into()))?;
    let v1alpha = reflection()
        .build_v1alpha()
        .map_err(|error| Error::Descriptors(error.into()))?;
    Ok(routes
        .add_service(HealthServer::new(health))
        .add_service(v1)
        .add_service(v1alpha))
}

fn service_names(descriptors: &[&[u8]]) -> Result<BTreeSet<String>, Error> {
    // The empty name stands for the whole server.
    let mut names = BTreeSet::from([String::new()]);
    for set in descriptors {
        let set = prost_types::FileDescriptorSet::decode(*set).map_err(|error| Error::Descriptors(error.into()))?;
        for file in &set.file {
            let package = file.package();
            names.extend(file.service.iter().map(|service| match package {
                "" => service.name().to_owned(),
                package => format!("{package}.{}", service.name()),
            }));
        }
    }
    Ok(names)
}

/// Whether a service that is not ready says so because it drains. Whoever is connected to it is served for as long as that
/// lasts, and is led elsewhere by the next connection: that nobody else is ready either, it does not say.
pub fn is_draining(response: &Response<HealthCheckResponse>) -> bool {
    response.metadata().get(PHASE).is_some_and(|phase| phase == DRAINING)
}

/// The gRPC health service over a [`Readiness`].
struct GrpcHealth {
    readiness: Readiness,
    services: BTreeSet<String>,
}

impl GrpcHealth {
    fn known(&self, request: &Request<HealthCheckRequest>) -> Result<(), Status> {
        match self.services.contains(&request.get_ref().service) {
            true => Ok(()),
            false => Err(Status::not_found("this server has no service of that name")),
        }
    }
}

#[tonic::async_trait]
impl Health for GrpcHealth {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.known(&request)?;
        let report = self.readiness.report();
        let mut response = Response::new(answer(report.is_ready()));
        if report.phase == Phase::Draining {
            let phase = MetadataValue::from_static(DRAINING);
            response.metadata_mut().insert(PHASE, phase);
        }
        Ok(response)
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        self.known(&request)?;
        let mut reports = self.readiness.subscribe();
        reports.mark_changed();
        let closing = self.readiness.closing();
        let answers = stream::unfold(
            (reports, closing, None),
            |(mut reports, closing, mut told)| async move {
                loop {
                    tokio::select! {
                        // What is not told yet is told before the end.
                        biased;
                        changed = reports.changed() => changed.ok()?,
                        // The stream ends with the service, or an idle watcher would hold up every drain.
                        () = closing.cancelled() => return None,
                    }
                    let ready = reports.borrow_and_update().is_ready();
                    if told.replace(ready) != Some(ready) {
                        return Some((Ok(answer(ready)), (reports, closing, told)));
                    }
                }
            },
        );
        Ok(Response::new(answers.boxed()))
    }
}

fn answer(ready: bool) -> HealthCheckResponse {
    let status = if ready {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    HealthCheckResponse { status: status.into() }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn health() -> GrpcHealth {
        GrpcHealth {
            readiness: Readiness::new(),
            services: service_names(&[tonic_health::pb::FILE_DESCRIPTOR_SET]).unwrap(),
        }
    }

    fn ask(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest {
            service: service.to_owned(),
        })
    }

    #[test]
    fn readiness_follows_phase_and_dependencies() {
        let readiness = Readiness::new();
        assert!(!readiness.report().is_ready(), "a service that starts is not ready");
        assert_eq!(readiness.report().standing(), Standing::Starting);
        readiness.enter(Phase::Running);
        assert!(readiness.report().is_ready());
        let store = readiness.dependency("store");
        assert!(
            !readiness.report().is_ready(),
            "a dependency not yet checked is not ready"
        );
        store.ready();
        assert_eq!(readiness.report().standing(), Standing::Ready);
        store.degraded("one replica");
        assert!(readiness.report().is_ready());
        assert_eq!(readiness.report().standing(), Standing::Degraded);
        store.not_ready("connection refused");
        assert!(!readiness.report().is_ready());
        assert_eq!(readiness.report().standing(), Standing::NotReady);
        store.forget();
        assert!(readiness.report().is_ready(), "what is gone holds nothing up");
        assert!(readiness.report().dependencies.is_empty());
        readiness.enter(Phase::Draining);
        readiness.enter(Phase::Running);
        assert_eq!(readiness.report().phase, Phase::Draining, "a drain is final");
        assert_eq!(readiness.report().standing(), Standing::Draining);
    }

    #[test]
    fn an_unchanged_state_wakes_nobody() {
        let readiness = Readiness::new();
        let store = readiness.dependency("store");
        store.ready();
        let mut reports = readiness.subscribe();
        reports.mark_unchanged();
        store.ready();
        assert!(!reports.has_changed().unwrap());
    }

    #[tokio::test]
    async fn grpc_health_knows_its_services_and_its_watch_ends_with_the_drain() {
        let health = health();
        assert_eq!(
            health.check(ask("no.such.Service")).await.unwrap_err().code(),
            tonic::Code::NotFound
        );
        let mut watch = health.watch(ask("grpc.health.v1.Health")).await.unwrap().into_inner();
        assert_eq!(watch.next().await.unwrap().unwrap(), answer(false));
        health.readiness.enter(Phase::Running);
        assert_eq!(watch.next().await.unwrap().unwrap(), answer(true));
        let serves = health.check(ask("")).await.unwrap();
        assert!(!is_draining(&serves) && serves.into_inner() == answer(true));
        health.readiness.enter(Phase::Draining);
        assert_eq!(watch.next().await.unwrap().unwrap(), answer(false));
        assert!(watch.next().now_or_never().is_none(), "the drain has only begun");
        let drains = health.check(ask("")).await.unwrap();
        assert!(is_draining(&drains) && drains.into_inner() == answer(false));
        health.readiness.closing().cancel();
        assert!(watch.next().await.is_none());
    }

    #[test]
    fn bytes_that_are_no_descriptors_are_an_error() {
        assert!(matches!(
            grpc_routes(Routes::default(), &Readiness::new(), &[b"\xff\xff"]),
            Err(Error::Descriptors(_))
        ));
    }
}
