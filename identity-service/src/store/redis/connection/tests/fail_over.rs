//! Sentinel and Cluster: routing, and a replica that takes over.

use std::{process::Command, time::Duration};

use redis::Value;

use super::{
    Connection, KEY, Settings, count, open,
    servers::{Server, until},
};

async fn sentinels(master: &Server) -> Vec<Server> {
    let port = master.port;
    let config = format!(
        "sentinel monitor mymaster 127.0.0.1 {port} 2\nsentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 2000\n"
    );
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        sentinels.push(Server::sentinel(&config).await);
    }
    for sentinel in &sentinels {
        until("the Sentinels know each other and the replica", async || {
            let info: String = sentinel.ask("INFO sentinel").await;
            info.contains("slaves=1,sentinels=3")
        })
        .await;
    }
    sentinels
}

#[tokio::test]
async fn sentinels_are_asked_for_the_master_until_there_is_one() {
    let mut master = Server::start("--repl-diskless-sync-delay 0").await;
    let replica = Server::start(&format!("--replicaof 127.0.0.1 {}", master.port)).await;
    let sentinels = sentinels(&master).await;
    let hosts: Vec<_> = sentinels
        .iter()
        .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
        .collect();
    let settings = Settings {
        timeout: Duration::from_secs(1),
        ..Settings::new(&format!("redis+sentinel://{}/mymaster", hosts.join(",")))
    };
    let connection = open(&settings).await;
    assert!(connection.health().unwrap().lost_at_fail_over);
    assert_eq!(connection.run(&count(), KEY, vec![]).await.unwrap(), Value::Int(1));
    until("the replica has it", async || {
        replica.ask::<i64>(&format!("EXISTS {KEY}count")).await == 1
    })
    .await;
    master.kill();
    until("the replica has taken over", async || {
        connection.run(&count(), KEY, vec![]).await.is_ok()
    })
    .await;
    assert!(replica.ask::<String>("INFO replication").await.contains("role:master"));
    assert!(
        replica.ask::<i64>(&format!("GET {KEY}count")).await >= 2,
        "nothing was lost"
    );
    connection.health().unwrap();
}

/// Six nodes, three of them masters.
async fn cluster() -> Vec<Server> {
    let mut nodes = Vec::new();
    for _ in 0..6 {
        nodes.push(
            Server::start("--cluster-enabled yes --cluster-node-timeout 1000 --repl-diskless-sync-delay 0").await,
        );
    }
    let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
    let mut command = Command::new("redis-cli");
    command.args(["--cluster", "create"]).args(addresses);
    let made = command
        .args(["--cluster-replicas", "1", "--cluster-yes"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    for node in &nodes {
        until("the cluster works", async || {
            let info: String = node.ask("CLUSTER INFO").await;
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:6")
        })
        .await;
    }
    until("the replicas follow", async || {
        let mut online = 0;
        for node in &nodes {
            online += usize::from(node.ask::<String>("INFO replication").await.contains("state=online"));
        }
        online == 3
    })
    .await;
    nodes
}

fn in_cluster(nodes: &[Server]) -> Settings {
    let hosts: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    Settings {
        timeout: Duration::from_secs(1),
        ..Settings::new(&format!("redis+cluster://{}", hosts.join(",")))
    }
}

async fn count_for(connection: &Connection, tenant: u32) -> Option<Value> {
    let key = format!("scim:{{tenant{tenant}}}:");
    connection.run(&count(), &key, vec![]).await.ok()
}

#[tokio::test]
async fn a_cluster_is_followed_through_moves_and_fail_over() {
    let mut nodes = cluster().await;
    // One seed is enough, and it may be a replica.
    let settings = Settings {
        wait_replicas: 1,
        ..in_cluster(&nodes[5..])
    };
    let connection = open(&settings).await;
    assert!(!connection.health().unwrap().lost_at_fail_over);
    for tenant in 0..24 {
        assert_eq!(count_for(&connection, tenant).await, Some(Value::Int(1)), "{tenant}");
        connection
            .replicated(&format!("scim:{{tenant{tenant}}}:"))
            .await
            .unwrap();
    }
    let mut holders = 0;
    for node in &nodes[..3] {
        holders += usize::from(node.ask::<i64>("DBSIZE").await > 0);
    }
    assert_eq!(holders, 3, "the tenants are spread");

    // A slot moves with its keys, behind our back.
    let slot: u16 = nodes[0].ask("CLUSTER KEYSLOT {tenant0}").await;
    let mut holder = 0;
    for (place, node) in nodes[..3].iter().enumerate() {
        let keys: i64 = node.ask(&format!("CLUSTER COUNTKEYSINSLOT {slot}")).await;
        holder = if keys > 0 { place } else { holder };
    }
    let (from, to) = (&nodes[holder], &nodes[(holder + 1) % 3]);
    let (from_id, to_id): (String, String) = (from.ask("CLUSTER MYID").await, to.ask("CLUSTER MYID").await);
    let () = to.ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}")).await;
    let () = from.ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}")).await;
    let keys: Vec<String> = from.ask(&format!("CLUSTER GETKEYSINSLOT {slot} 100")).await;
    for key in keys {
        let _: String = from.ask(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port)).await;
    }
    // Its keys are there and the slot is not yet: ASK.
    assert_eq!(count_for(&connection, 0).await, Some(Value::Int(2)));
    for node in [to, from, &nodes[(holder + 2) % 3]] {
        let () = node.ask(&format!("CLUSTER SETSLOT {slot} NODE {to_id}")).await;
    }
    // And now it is: MOVED.
    assert_eq!(count_for(&connection, 0).await, Some(Value::Int(3)));

    nodes[0].kill();
    for tenant in 0..24 {
        until("its tenant is served by the replica", async || {
            count_for(&connection, tenant).await.is_some()
        })
        .await;
    }
    until("the cluster is whole", async || connection.health().is_ok()).await;
    for tenant in 0..24 {
        let Some(Value::Int(count)) = count_for(&connection, tenant).await else {
            panic!("{tenant} is not served");
        };
        assert!(count >= 3, "{tenant}: {count}: what was confirmed was lost");
    }
}
