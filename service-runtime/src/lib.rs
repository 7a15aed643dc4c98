//! What every service does alike: settings, telemetry, health, servers that drain, and calls to other services.
//!
//! A service's `main` is `service_runtime::main::<TheService>()`; its library offers `start(config) -> Running`, which
//! a test or another process calls just as well. Only telemetry, the crypto provider and the allocator are process-wide;
//! everything else is a value, so that several services can live in one process.
//!
//! This crate knows tracing, OTLP, metrics, health, signals and the connection type. It must never know SCIM, users,
//! or any one service. It is the only crate that touches the OpenTelemetry SDK.

pub mod access;
pub mod connection;
mod deadline;
pub mod error;
pub mod health;
mod listen;
mod log_format;
pub mod observe;
pub mod ops;
mod panics;
pub mod private;
mod process;
pub mod server;
pub mod service;
pub mod settings;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;
pub mod tenants;
pub mod tls;
pub mod trace_context;

mod crypto;

/// What every program that has this crate allocates by. A request is many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use access::{Access, Contract, GrpcArgs, GrpcCallArgs, GrpcServerArgs};
pub use connection::{CallFailed, Connection, connect, connect_as, in_process, is_this_machine, never_processed};
pub use crypto::install_crypto_provider;
pub use deadline::time_allowed;
pub use error::{Chain, Error};
pub use health::{Dependency, Readiness, grpc_routes};
pub use listen::{bind, listen};
pub use observe::{grpc_server_layer, http_server_layer};
pub use ops::{OpsArgs, healthcheck};
pub use panics::Panicked;
pub use server::{ConnectionLimits, Lifecycle, Listener, Running, serve_grpc, serve_http};
pub use service::{Service, command, main};
pub use shutdown::{EX_START, EX_USAGE, Hangups, Signals, drain, run_until_stopped, run_with};
pub use tasks::Tasks;
pub use telemetry::{LogFormat, Telemetry, TelemetryArgs, meter};
pub use tenants::{Live, TenantsArgs, TenantsFile};
pub use tls::{PeerCertificates, Tls};
