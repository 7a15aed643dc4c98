//! Sentinel and Cluster: routing, and a replica that takes over.

use std::{sync::Arc, time::Duration};

use redis::Value;
use redis_for_tests::{Cluster, SentinelTrio};
use tokio::sync::Notify;

use super::{
    Connection, KEY, Settings, count, open,
    servers::{ask, until},
};

fn quick(url: &str) -> Settings {
    Settings {
        timeout: Duration::from_secs(1),
        ..Settings::new(url)
    }
}

#[tokio::test]
async fn sentinels_are_asked_for_the_master_until_there_is_one() {
    let mut trio = SentinelTrio::start().await;
    let settings = Settings {
        wait_replicas: 2,
        ..quick(&trio.url())
    };
    assert!(open(&quick(&trio.url())).await.health().unwrap().lost_at_fail_over);
    let connection = open(&settings).await;
    assert!(!connection.health().unwrap().lost_at_fail_over);
    assert_eq!(connection.run(&count(), KEY, vec![]).await.unwrap(), Value::Int(1));
    connection.replicated(KEY).await.unwrap();
    trio.kill_master().await;
    until("the next master is found", async || {
        connection.run(&count(), KEY, vec![]).await.is_ok()
    })
    .await;
    until("it is healthy", async || connection.health().is_ok()).await;
    let counted: i64 = ask(trio.master().await, &format!("GET {KEY}count")).await;
    assert!(counted >= 2, "what was confirmed is there");
    connection.replicated(KEY).await.expect_err("there is one replica left");
}

fn key(tenant: u32) -> String {
    format!("scim:{{tenant{tenant}}}:")
}

async fn count_for(connection: &Connection, tenant: u32) -> Option<i64> {
    match connection.run(&count(), &key(tenant), vec![]).await {
        Ok(Value::Int(count)) => Some(count),
        _ => None,
    }
}

const TENANTS: u32 = 24;

#[tokio::test]
async fn a_cluster_spreads_tenants_and_a_replica_takes_over() {
    let mut cluster = Cluster::start().await;
    let settings = Settings {
        wait_replicas: 1,
        ..quick(&cluster.url())
    };
    let connection = open(&settings).await;
    for tenant in 0..TENANTS {
        assert_eq!(count_for(&connection, tenant).await, Some(1), "{tenant}");
        connection.replicated(&key(tenant)).await.unwrap();
    }
    for node in &cluster.nodes()[..3] {
        assert!(ask::<i64>(node, "DBSIZE").await > 0, "the tenants are spread");
    }
    cluster.kill(cluster.master_of(&key(0)).await);
    for tenant in 0..TENANTS {
        until("a replica serves it", async || {
            count_for(&connection, tenant).await.is_some()
        })
        .await;
    }
    until("the cluster is whole", async || connection.health().is_ok()).await;
    for tenant in 0..TENANTS {
        let count = count_for(&connection, tenant).await.expect("it is served");
        assert!(count >= 3, "{tenant}: {count}: what was confirmed is gone");
    }
}

#[tokio::test]
async fn a_slot_that_moves_takes_its_tenant_along_and_nothing_runs_in_between() {
    let cluster = Cluster::start().await;
    // Long enough that each call is answered, so that the counts can be told apart.
    let settings = Settings {
        timeout: Duration::from_secs(20),
        ..Settings::new(&cluster.url())
    };
    let connection = open(&settings).await;
    let from = cluster.master_of(&key(0)).await;
    let many = super::Script::new("many", "for i = 1, 500 do redis.call('SET', KEYS[1] .. i, i) end");
    connection.run(&many, &key(0), vec![]).await.unwrap();
    let stop = Arc::new(Notify::new());
    let counting = {
        let (connection, stop) = (connection.clone(), stop.clone());
        tokio::spawn(async move {
            let mut acknowledged = 0;
            let over = stop.notified();
            tokio::pin!(over);
            loop {
                tokio::select! {
                    () = &mut over => return acknowledged,
                    counted = count_for(&connection, 0) => if let Some(counted) = counted {
                        acknowledged += 1;
                        assert_eq!(counted, acknowledged, "it counted somewhere else");
                    }
                }
            }
        })
    };
    cluster.move_slot_of(&key(0), (from + 1) % 3).await;
    assert_ne!(cluster.master_of(&key(0)).await, from);
    until("it is served where it is now", async || {
        count_for(&connection, 1).await.is_some()
    })
    .await;
    stop.notify_one();
    let acknowledged = counting.await.unwrap();
    until("its tenant is served", async || {
        count_for(&connection, 0)
            .await
            .is_some_and(|count| count > acknowledged)
    })
    .await;
    connection.health().unwrap();
}
