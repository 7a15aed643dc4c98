//! By which of the Platform's interfaces an account is reached, as its link says: what an interface does not hold is not missed.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use proto::identity::v1::{GetDeliveryRequest, delivery_service_client::DeliveryServiceClient};

use crate::{PATIENCE, tenant::Tenant};

/// Begins the id of what is reached by the Platform's own SCIM endpoint.
pub(crate) const MARK: &str = "scim:";

/// The login names, in lower case, of the users whose accounts are reached by the Platform's own SCIM endpoint.
pub(crate) async fn of_the_second_interface(identity_url: &str, tenant: &Tenant) -> Result<BTreeSet<String>> {
    let connection = service_runtime::connect(identity_url, PATIENCE)?;
    let mut client = DeliveryServiceClient::new(connection);
    let mut names = BTreeSet::new();
    for (object, user) in &tenant.directory.users {
        let Some(id) = tenant.job.linked(object) else { continue };
        let request = GetDeliveryRequest {
            tenant: tenant.name.to_owned(),
            resource_id: id.to_owned(),
        };
        let delivery = client.get_delivery(request).await?.into_inner().delivery;
        let delivery = delivery.context("a delivery was answered without one")?;
        if delivery.platform_id.is_some_and(|id| id.starts_with(MARK)) {
            names.insert(user.user_principal_name.to_lowercase());
        }
    }
    Ok(names)
}
