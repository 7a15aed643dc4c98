//! The relay, on a store of which a test says when it writes.

use std::sync::Arc;

use identity_service::{
    delivery::Relays,
    id::{Kind, Tenant},
    store::Store,
    tenants::{Served, Tenants},
    wake::Wake,
};
use jiff::Timestamp;
use proto::adapter::v1::adapter_service_client::AdapterServiceClient;
use service_runtime::{Readiness, connect};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    service::config,
    store::{
        bench::create,
        engine::{Disk, PATIENCE},
    },
};

#[tokio::test]
async fn a_claim_in_flight_is_delivered_though_the_relay_is_told_to_stop() {
    let disk = Disk::default();
    let store: Arc<dyn Store> = Arc::new(disk.store());
    let tenant = Tenant::new("default");
    let mut write = create(Kind::User, "odile", &[]);
    write.now = Timestamp::now();
    let user = store.write(&tenant, write).await.unwrap().record.id;
    let config = config(&[]);
    // Nobody is there: deliveries end soon, and as postponed.
    let adapter = connect("http://127.0.0.1:1", config.delivery.delivery_timeout).unwrap();
    let relays = Relays {
        tenants: Tenants::one(Served::new(tenant.as_str(), &config).unwrap()),
        store: store.clone(),
        adapter: AdapterServiceClient::new(adapter),
        wake: Wake::new(),
        adapter_state: Readiness::new().dependency("delinea-adapter"),
    };
    let held = disk.hold();
    let stop = CancellationToken::new();
    let running = tokio::spawn(relays.run(tenant.clone(), stop.clone()));
    disk.held_up().await;
    stop.cancel();
    // On one thread, the relay hears of it before the claim is written.
    tokio::task::yield_now().await;
    drop(held);
    timeout(PATIENCE, running).await.expect("the relay ends").unwrap();
    let work = store.delivery(&tenant, user).await.unwrap().unwrap().work.unwrap();
    assert_eq!((work.lease, work.attempts), (None, 1), "tried and settled");
}
