//! Lists of more than one page.

use serde_json::json;

use super::documents;
use crate::deployment::Deployment;

#[tokio::test]
async fn a_long_list_is_read_to_its_end_unless_less_is_wanted() {
    let it = Deployment::start().await;
    it.admin(0, &["pause", "--reason=a long list", "--yes"]).await;
    let operations: Vec<_> = (0..501)
        .map(|number| {
            let name = format!("user{number:03}@kestrel.example");
            let data = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name});
            json!({"method": "POST", "path": "/Users", "bulkId": name, "data": data})
        })
        .collect();
    let schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"];
    let bulk = json!({"schemas": schemas, "Operations": operations});
    it.scim.post("/Bulk", &bulk).await.expect(200);

    let all = it.admin_json(0, &["pending"]).await;
    assert_eq!(all.len(), 501);
    let done = it.admin(0, &["pending"]).await;
    assert_eq!(done.out.lines().count(), 502, "and the heads, once");
    let columns: Vec<_> = done
        .out
        .lines()
        .map(|line| line.find("user").or(line.find("NAME")))
        .collect();
    assert!(columns.iter().all(|column| *column == columns[0]), "aligned over pages");

    let some = it.admin(0, &["pending", "--limit=3", "--json"]).await;
    assert_eq!(documents(&some)[..], all[..3]);
    assert_eq!(some.err, "admin: there are more\n");
    assert_eq!(it.admin(0, &["pending", "--limit=501", "--json"]).await.err, "");
}
