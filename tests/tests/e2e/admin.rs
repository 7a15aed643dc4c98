//! The operator's command line, as a process against real services: what it shows, what it does, and how it ends.

mod acts;
mod audit;
mod drift;
mod ends;
mod long;
mod watch;

use serde_json::{Value, json};

use crate::{
    deployment::{Deployment, Setup},
    programs::{Done, run},
};

const ODILE: &str = "odile@kestrel.example";
const ROY: &str = "roy@kestrel.example";

impl Deployment {
    /// Runs `admin` with these arguments; it must end so.
    #[track_caller]
    pub(crate) fn admin(&self, code: i32, arguments: &[&str]) -> impl Future<Output = Done> {
        let url = self.identity_url();
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        async move {
            let mut line: Vec<_> = arguments.iter().map(String::as_str).collect();
            line.extend(["--identity-url", &url]);
            let done = run("admin", &line).await;
            assert_eq!(done.code, code, "{arguments:?}: {done:?}");
            done
        }
    }

    /// Runs it with `--json`; gives the documents.
    pub(crate) async fn admin_json(&self, code: i32, arguments: &[&str]) -> Vec<Value> {
        documents(&self.admin(code, &[arguments, &["--json"]].concat()).await)
    }
}

fn documents(done: &Done) -> Vec<Value> {
    done.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The lines of a table, without what separates the columns.
fn rows(done: &Done) -> Vec<Vec<&str>> {
    let lines = done.out.lines().map(|line| line.split("  ").map(str::trim));
    lines
        .map(|cells| cells.filter(|cell| !cell.is_empty()).collect())
        .collect()
}

/// An account that somebody else made has Roy's name, so that he is refused; gives the ids of Odile and Roy.
async fn one_applied_and_one_refused(it: &Deployment) -> [String; 2] {
    it.platform.strangers(&[ROY]).await;
    let ids = [it.scim.create_user(ODILE).await, it.scim.create_user(ROY).await];
    it.settled().await;
    ids
}

#[tokio::test]
async fn status_tells_how_it_stands_and_monitoring_hears_of_it() {
    let it = Deployment::start().await;
    it.scim.create_user(ODILE).await;
    it.settled().await;
    let done = it.admin(0, &["status", "--check"]).await;
    assert!(rows(&done).contains(&vec!["deliveries", "running"]), "{done:?}");

    it.platform.strangers(&[ROY]).await;
    it.scim.create_user(ROY).await;
    it.settled().await;
    let done = it.admin(0, &["status"]).await;
    let shown = rows(&done);
    assert_eq!(shown[0], ["tenant", "default"]);
    assert!(shown.contains(&vec!["users", "2"]) && shown.contains(&vec!["pending", "0"]));
    assert!(
        shown.contains(&vec!["refused", "1", "(see `admin refused`)"]),
        "{done:?}"
    );
    let checked = it.admin(3, &["status", "--check"]).await;
    assert_eq!((checked.out, checked.err), (done.out, String::new()));
    let summary = it.admin_json(3, &["status", "--check"]).await;
    let expected = json!([{"users": 2, "groups": 0, "pending": 0, "refused": 1, "held": 0,
                           "planned": 0, "dryRun": false}]);
    assert_eq!(json!(summary), expected);
}

#[tokio::test]
async fn what_is_refused_is_listed_by_name_with_the_reason() {
    let it = Deployment::start().await;
    let [_, roy] = one_applied_and_one_refused(&it).await;
    let done = it.admin(0, &["refused"]).await;
    let lines = rows(&done);
    assert_eq!(lines[0], ["TYPE", "ID", "NAME", "SINCE", "TRIES", "NEXT TRY", "WHY"]);
    assert_eq!(lines[1][..3], ["User", roy.as_str(), ROY]);
    assert!(lines[1][5].starts_with("in 59m") || lines[1][5] == "in 1h", "{lines:?}");
    assert!(lines[1][6].starts_with("PLATFORM_OBJECT_EXISTS: "), "{lines:?}");
    let listed = it.admin_json(0, &["refused"]).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["resourceId"], *roy);
    assert_eq!(listed[0]["state"], "DELIVERY_STATE_REFUSED");
    assert_eq!(listed[0]["lastErrorReason"], "PLATFORM_OBJECT_EXISTS");

    assert_eq!(it.admin(0, &["pending"]).await.out, "nothing is pending\n");
    assert_eq!(it.admin(0, &["held", "--json"]).await.out, "");
}

#[tokio::test]
async fn a_resource_is_shown_by_its_id_and_by_its_name() {
    let it = Deployment::start().await;
    let [odile, roy] = one_applied_and_one_refused(&it).await;
    let rack = it.scim.create_group("Rack \"7\"", &[&odile]).await;
    it.settled().await;
    let by_id = it.admin(0, &["show", &roy]).await;
    let shown = rows(&by_id);
    for pair in [
        ["type", "User"],
        ["id", &roy],
        ["name", ROY],
        ["state", "refused"],
        ["tries", "1"],
    ] {
        assert!(shown.contains(&pair.to_vec()), "{pair:?} in {shown:?}");
    }
    for name in [ROY.to_uppercase(), roy.to_uppercase()] {
        let by_name = it.admin_json(0, &["show", &name]).await;
        assert_eq!(by_name[0]["resourceId"], *roy, "{name}");
    }
    let group = it.admin_json(0, &["show", "rack \"7\""]).await;
    assert_eq!(
        (&group[0]["resourceId"], &group[0]["state"]),
        (&json!(rack), &json!("DELIVERY_STATE_APPLIED"))
    );

    // One name, two resources.
    it.scim.create_group(ODILE, &[""; 0]).await;
    let which = it.admin(64, &["show", ODILE]).await;
    assert!(which.err.contains(&format!("User {odile}")), "{which:?}");
    let nobody = it.admin(3, &["show", "nobody@kestrel.example"]).await;
    assert!(nobody.err.contains("no user or group is called"), "{nobody:?}");
    let none = "01890a5d-ac96-774b-bcce-b302099a8057";
    let nothing = it.admin(3, &["show", none]).await;
    assert_eq!(nothing.err, format!("admin: no user or group has the id {none}\n"));
}

#[tokio::test]
async fn what_a_brake_holds_is_listed_with_what_would_be_done() {
    let flags = ["--max-removals-per-hour=1", "--max-deactivations-per-hour=1"];
    let it = Setup::default().identity(&flags).start().await;
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(it.scim.create_user(&format!("user{number}@kestrel.example")).await);
    }
    it.settled().await;
    for id in &ids[..2] {
        it.scim.delete(&format!("/Users/{id}")).await.expect(204);
        it.settled().await;
    }
    let off = json!({"op": "Replace", "path": "active", "value": false});
    for id in &ids[2..] {
        it.scim.patch(&format!("/Users/{id}"), off.clone()).await.expect(204);
        it.settled().await;
    }
    let done = it.admin(0, &["held"]).await;
    let lines = rows(&done);
    assert_eq!(lines[0], ["TYPE", "ID", "NAME", "SINCE", "BRAKE", "WHAT IS HELD"]);
    let of = |id: &str| lines.iter().find(|line| line[1] == id).unwrap();
    assert_eq!(
        of(&ids[1])[3..],
        ["removals", "removal of the account, which is disabled meanwhile"]
    );
    assert_eq!(
        of(&ids[3])[2..][..1],
        ["user3@kestrel.example"],
        "what is there has a name"
    );
    assert_eq!(of(&ids[3])[4], "deactivations");
    let listed = it.admin_json(0, &["held"]).await;
    assert!(
        listed
            .iter()
            .any(|held| held["brake"] == "BRAKE_REMOVALS" && held["deleted"] == true)
    );
    // What was deleted goes by its id alone.
    it.admin(3, &["show", "user1@kestrel.example"]).await;
    let shown = it.admin(0, &["show", &ids[1]]).await;
    assert!(rows(&shown).contains(&vec!["brake", "removals"]), "{shown:?}");
}

#[tokio::test]
async fn a_dry_run_is_told_with_what_would_be_done() {
    let it = Setup::default().identity(&["--dry-run=true"]).start().await;
    let odile = it.scim.create_user(ODILE).await;
    it.settled().await;
    // A dry run that was forgotten must be heard of.
    let status = it.admin(3, &["status", "--check"]).await;
    let shown = rows(&status);
    assert!(
        shown.contains(&vec!["planned", "1", "(see `admin planned`)"]),
        "{status:?}"
    );
    assert!(
        shown.contains(&vec![
            "deliveries",
            "dry run: nothing is written to the Platform (DRY_RUN)"
        ]),
        "{status:?}"
    );
    let listed = it.admin(0, &["planned"]).await;
    let lines = rows(&listed);
    assert_eq!(lines[0], ["TYPE", "ID", "NAME", "SINCE", "WHAT WOULD BE DONE"]);
    assert_eq!(lines[1][..3], ["User", odile.as_str(), ODILE]);
    assert_eq!(lines[1][4], "create the account");
    let shown = it.admin(0, &["show", ODILE]).await;
    for pair in [["state", "planned"], ["plan", "create the account"]] {
        assert!(rows(&shown).contains(&pair.to_vec()), "{shown:?}");
    }
    let listed = it.admin_json(0, &["planned"]).await;
    assert_eq!(listed[0]["plan"], json!(["create the account"]));
}

#[tokio::test]
async fn links_are_rebuilt_by_a_plan_that_somebody_has_seen() {
    let it = Deployment::start().await;
    let nothing = it.admin(0, &["relink", "plan"]).await;
    assert!(nothing.out.ends_with("nothing is to be linked\n"), "{nothing:?}");
    let [_, roy] = one_applied_and_one_refused(&it).await;
    let account = it.platform.account(ROY).await["ID"].as_str().unwrap().to_owned();

    let adopt = it.admin(0, &["adopt", "plan"]).await;
    let lines = rows(&adopt);
    assert_eq!(
        lines[0],
        ["TYPE", "ID", "PLATFORM ID", "PLATFORM NAME", "MATCHING", "LISTED"]
    );
    let expected = [
        "User",
        &roy,
        &account,
        ROY,
        "yes",
        "yes, once its name is in ADOPT_LIST",
    ];
    assert_eq!(lines[1], expected);

    let plan = it.admin(0, &["relink", "plan"]).await;
    let lines = rows(&plan);
    assert_eq!(lines[0], ["TYPE", "ID", "PLATFORM ID", "PLATFORM NAME", "WHAT IS DONE"]);
    assert_eq!(lines[1], ["User", &roy, &account, ROY, "to be linked"]);
    let digest = plan.out.trim_end().rsplit(' ').next().unwrap();
    let json = it.admin_json(0, &["relink", "plan"]).await;
    assert_eq!(json[0]["verdict"], "RELINK_VERDICT_LINK");
    assert_eq!((&json[1]["digest"], &json[1]["linked"]), (&json!(digest), &json!(1)));

    it.admin(64, &["relink", "apply", digest]).await;
    let other = it.admin(1, &["relink", "apply", "0123", "--yes"]).await;
    assert!(other.err.contains("RELINK_CHANGED"), "{other:?}");
    assert_eq!(it.refused().await.len(), 1, "nothing was done");
    let done = it.admin(0, &["relink", "apply", digest, "--yes"]).await;
    assert_eq!(rows(&done)[1], ["User", &roy, &account, ROY, "linked"]);
    it.settled().await;
    assert_eq!(it.refused().await, []);
    let again = it.admin(1, &["relink", "apply", digest, "--yes"]).await;
    assert!(again.err.contains("RELINK_CHANGED"), "{again:?}");
}
