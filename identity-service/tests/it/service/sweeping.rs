//! What the store leaves to be done in batches is done by the service, without anybody's asking.

use std::{sync::Arc, time::Duration};

use identity_service::{
    id::{Kind, Tenant},
    store::embedded::EmbeddedStore,
};
use tokio::time::{sleep, timeout};

use super::{Served, TENANT};
use crate::store::{bench::Bench, chores::manager_of, engine::PATIENCE};

#[tokio::test]
async fn a_large_chore_is_done_by_and_by() {
    let store = EmbeddedStore::in_memory().unwrap();
    let mut bench = Bench::over(Arc::new(store.clone()), Box::new(()));
    bench.tenant = Tenant::new(TENANT);
    let manager = manager_of(&bench, 1_100).await;
    let it = Served::on(store).await;
    it.delete_user(&manager.to_string()).await;
    let all_due = async {
        while bench.summary().await.pending < 1_101 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, all_due)
        .await
        .expect("every report is to be delivered again");
    assert_eq!(bench.store.count(&bench.tenant, Kind::User).await.unwrap(), 1_100);
}
