//! A collector that takes telemetry and forgets it, so that what telemetry costs the services is measured, and not what a trace
//! store would cost beside them. It counts what came.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Result;
use opentelemetry_proto::tonic::collector::{
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use tokio::{net::TcpListener, task::AbortHandle};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// The collector. It ends with the value.
#[derive(Debug)]
pub struct Collector {
    addr: SocketAddr,
    spans: Arc<AtomicU64>,
    server: AbortHandle,
}

impl Collector {
    /// Listens on a port of its own.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let counted = Forgets::default();
        let spans = Arc::clone(&counted.0);
        let router = Server::builder()
            .add_service(TraceServiceServer::new(counted.clone()))
            .add_service(MetricsServiceServer::new(counted));
        let server = tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener))).abort_handle();
        Ok(Self { addr, spans, server })
    }

    /// Where telemetry is to be sent.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How many spans came so far.
    pub fn spans(&self) -> u64 {
        self.spans.load(Ordering::Relaxed)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone, Debug, Default)]
struct Forgets(Arc<AtomicU64>);

#[tonic::async_trait]
impl TraceService for Forgets {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.get_ref().resource_spans.iter().flat_map(|of| &of.scope_spans);
        let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
        self.0.fetch_add(spans as u64, Ordering::Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Forgets {
    async fn export(
        &self,
        _request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
