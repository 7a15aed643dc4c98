//! The layer that asks each call for its caller before anything of it is read.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use futures_util::future::{Either, Ready, ready};
use http::{Request, Response};
use tower::{Layer, Service};

use super::Access;
use crate::tls::PeerCertificates;

/// Puts an [`Access`] before a gRPC server.
#[derive(Clone, Debug)]
pub(crate) struct GuardLayer(pub(crate) Access);

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            inner,
            access: self.0.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Guard<S> {
    inner: S,
    access: Access,
}

impl<S, Q, R> Service<Request<Q>> for Guard<S>
where
    S: Service<Request<Q>, Response = Response<R>, Error = Infallible>,
    R: Default,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<R>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
        let certificates = request.extensions().get::<PeerCertificates>();
        match self
            .access
            .admit(request.uri().path(), request.headers(), certificates, peer)
        {
            Ok(caller) => {
                if let Some(caller) = caller {
                    request.extensions_mut().insert(caller);
                }
                self.inner.call(request).left_future()
            }
            Err(status) => ready(Ok(status.into_http())).right_future(),
        }
    }
}
