//! identity-service as this program calls it: one connection, one tenant.

use std::time::Duration;

use proto::{
    identity::v1::{
        Delivery, DeliveryState, GetDeliveryRequest, ListDeliveriesRequest, ListDeliveriesResponse,
        audit_service_client::AuditServiceClient, change_service_client::ChangeServiceClient,
        credential_service_client::CredentialServiceClient, delivery_service_client::DeliveryServiceClient,
        drift_service_client::DriftServiceClient, group_service_client::GroupServiceClient,
        relink_service_client::RelinkServiceClient, user_service_client::UserServiceClient,
    },
    origin,
};
use service_runtime::{Connection, GrpcCallArgs};
use tonic::{Request, Response, Status};

use crate::error::Error;

/// How many entries of a list are asked for at a time.
const PAGE: u64 = 500;

/// identity-service, and the tenant that is asked about.
#[derive(Debug)]
pub(crate) struct Service {
    connection: Connection,
    url: String,
    pub(crate) tenant: String,
    /// Who acts, in their own words.
    pub(crate) by: String,
}

impl Service {
    /// Nothing is opened before the first call.
    pub(crate) fn new(
        url: &str,
        grpc: &GrpcCallArgs,
        tenant: String,
        by: String,
        timeout: Duration,
    ) -> Result<Self, Error> {
        Ok(Self {
            connection: service_runtime::connect_as(url, timeout, grpc).map_err(Error::Address)?,
            url: url.to_owned(),
            tenant,
            by,
        })
    }

    /// A request that does something; it says who, for the audit trail.
    pub(crate) fn act<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Ok(who) = credential(&self.by).parse() {
            request.metadata_mut().insert(origin::CREDENTIAL, who);
        }
        request
    }

    pub(crate) fn deliveries(&self) -> DeliveryServiceClient<Connection> {
        DeliveryServiceClient::new(self.connection.clone())
    }

    pub(crate) fn credentials(&self) -> CredentialServiceClient<Connection> {
        CredentialServiceClient::new(self.connection.clone())
    }

    pub(crate) fn drift(&self) -> DriftServiceClient<Connection> {
        DriftServiceClient::new(self.connection.clone())
    }

    pub(crate) fn changes(&self) -> ChangeServiceClient<Connection> {
        ChangeServiceClient::new(self.connection.clone())
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Connection> {
        AuditServiceClient::new(self.connection.clone())
    }

    pub(crate) fn relink(&self) -> RelinkServiceClient<Connection> {
        RelinkServiceClient::new(self.connection.clone())
    }

    pub(crate) fn users(&self) -> UserServiceClient<Connection> {
        UserServiceClient::new(self.connection.clone())
    }

    pub(crate) fn groups(&self) -> GroupServiceClient<Connection> {
        GroupServiceClient::new(self.connection.clone())
    }

    /// The message of an answer, or what the status means.
    pub(crate) fn answer<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, Error> {
        answer.map(Response::into_inner).map_err(|status| self.failed(status))
    }

    /// What a status of this service means.
    pub(crate) fn failed(&self, status: Status) -> Error {
        Error::of(status, &self.url)
    }

    /// A stream has come to an end that it should not have.
    pub(crate) fn ended(&self) -> Error {
        Error::Ended(self.url.clone())
    }

    /// The delivery state of one resource.
    pub(crate) async fn delivery(&self, id: &str) -> Result<Delivery, Error> {
        let request = GetDeliveryRequest {
            tenant: self.tenant.clone(),
            resource_id: id.to_owned(),
        };
        let answer = self.answer(self.deliveries().get_delivery(request).await)?;
        said(answer.delivery)
    }

    /// A page of at most so many in one state.
    pub(crate) async fn page(
        &self,
        state: DeliveryState,
        most: u64,
        token: Option<String>,
    ) -> Result<ListDeliveriesResponse, Error> {
        let request = ListDeliveriesRequest {
            tenant: self.tenant.clone(),
            state: state.into(),
            page_size: i32::try_from(most.min(PAGE)).ok(),
            page_token: token,
        };
        self.answer(self.deliveries().list_deliveries(request).await)
    }

    /// All in one state.
    pub(crate) async fn all(&self, state: DeliveryState) -> Result<Vec<Delivery>, Error> {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let page = self.page(state, PAGE, token).await?;
            all.extend(page.deliveries);
            token = page.next_page_token;
            if token.is_none() {
                return Ok(all);
            }
        }
    }
}

/// What the contract says is always there.
pub(crate) fn said<T>(part: Option<T>) -> Result<T, Error> {
    part.ok_or_else(|| Error::Answer("a part of it is missing".to_owned()))
}

/// Who acts, as the audit trail has room for it: what it does not take is a question mark there.
fn credential(by: &str) -> String {
    let printable = |c| if (' '..='~').contains(&c) { c } else { '?' };
    let who = "admin-".chars().chain(by.chars().map(printable));
    who.take(origin::LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_acts_is_in_the_trail() {
        assert_eq!(credential("hana"), "admin-hana");
        assert_eq!(credential("Jürgen\n"), "admin-J?rgen?");
        for name in ["", "山", &"x".repeat(500)] {
            assert!(origin::is_usable(credential(name).as_bytes()), "{name}");
        }
    }
}
