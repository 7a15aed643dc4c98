//! Files that cannot be used: the programs say so with the schema, the attribute and the problem, and do not start.

use serde_json::{Value, json};

use super::{URN, example};
use crate::programs::run_in;

#[tokio::test]
async fn a_file_that_cannot_be_used_is_said_and_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schemas.json");
    let named = file.display().to_string();
    let check = async |program: &str, content: &str| {
        std::fs::write(&file, content).unwrap();
        run_in(program, &["--check"], &[("SCHEMAS_FILE", &named)]).await
    };
    let attribute = |attribute: Value| json!([{"id": URN, "attributes": [attribute]}]).to_string();
    let table = [
        ("[".to_owned(), "no JSON"),
        (json!({"id": URN}).to_string(), "expected a list of Schema documents"),
        (
            json!([{"id": "kestrel", "attributes": []}]).to_string(),
            "kestrel: nothing says whether users or groups",
        ),
        (
            json!([{"id": scim::URN_USER, "attributes": [{"name": "a"}]}]).to_string(),
            "this URN is built in",
        ),
        (
            attribute(json!({"name": "badge tier"})),
            "attribute `badge tier`: the name must be",
        ),
        (
            attribute(json!({"name": "badgeTier", "type": "text"})),
            "attribute `badgeTier`: `type` is `text`; it can be string",
        ),
        (
            attribute(json!({"name": "badgeTier", "uniqueness": "server"})),
            "not enforced is not published",
        ),
    ];
    for (content, said) in table {
        let done = check("identity-service", &content).await;
        assert_eq!(done.code, 64, "{content}: {}", done.err);
        assert!(done.err.contains(said) && done.err.contains(&named), "{}", done.err);
    }
    let broken = attribute(json!({"name": "a", "type": "text"}));
    let done = check("all-in-one", &broken).await;
    assert_eq!(done.code, 64, "{}", done.err);
    assert!(done.err.contains("attribute `a`"), "{}", done.err);
    for program in ["identity-service", "all-in-one"] {
        let done = check(program, example()).await;
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.out.contains(&named), "{}", done.out);
    }
    let done = run_in("identity-service", &["--check", "--schemas-file=/no/such/file"], &[]).await;
    assert_eq!(done.code, 64, "{}", done.err);
    assert!(done.err.contains("/no/such/file"), "{}", done.err);
}
