//! Campaigns whose seeds stay, three of them over other kinds of tenants and one over two tenants of one deployment: what they once went through they shall go through for ever. `make torture` runs others.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod long {
    use std::path::Path;

    use fault_campaign::{Plan, Profile, Settings, Store, campaign};

    async fn is_equal(seed: u64, store: Store, profile: Profile, tenants: usize) {
        let test = std::env::current_exe().unwrap();
        // target/<profile>/deps/<test> stands beside target/<profile>/<program>.
        let programs = test.parent().and_then(Path::parent).unwrap().to_owned();
        let settings = Settings {
            programs,
            out: Path::new(env!("CARGO_TARGET_TMPDIR")).join("torture"),
            keep: false,
            log: "info,opentelemetry=warn".to_owned(),
        };
        let outcome = campaign(&Plan::of(seed, store, profile, tenants), &settings)
            .await
            .unwrap();
        eprintln!(
            "SEED={seed} STORE={store} PROFILE={profile} TENANTS={tenants}: {:?}, {}",
            outcome.took, outcome.summary
        );
        assert!(
            outcome.findings.is_empty(),
            "SEED={seed} STORE={store} PROFILE={profile} TENANTS={tenants}:\n{}\nwhat was found:\n{}\nlogs are in {}",
            outcome.story.join("\n"),
            outcome.findings.join("\n"),
            outcome.folder.display()
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn seed_1_on_the_embedded_store() {
        is_equal(1, Store::Embedded, Profile::Default, 1).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn seed_2_on_redis() {
        is_equal(2, Store::Redis, Profile::Default, 1).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn seed_3_on_redis() {
        is_equal(3, Store::Redis, Profile::Default, 1).await;
    }

    /// Accounts by RPC and groups by the SCIM endpoint.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn seed_302_on_redis_where_groups_are_written_by_scim() {
        is_equal(302, Store::Redis, Profile::NoRoleWrites, 1).await;
    }

    /// The older calls.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn seed_301_on_the_embedded_store_in_a_heritage_tenant() {
        is_equal(301, Store::Embedded, Profile::Heritage, 1).await;
    }

    /// The same people on two Platforms that fail each in its own ways, by one deployment whose file of tenants changes meanwhile.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn seed_401_on_redis_with_two_tenants_side_by_side() {
        is_equal(401, Store::Redis, Profile::Default, 2).await;
    }

    /// Everything by the SCIM endpoint.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn seed_303_on_the_embedded_store_where_there_is_scim_alone() {
        is_equal(303, Store::Embedded, Profile::ScimOnly, 1).await;
    }
}
