//! Finding: through indexes, through memberships, by looking at everything, and not beyond the limit.

use identity_service::{
    config::Policy,
    directory::Caller,
    error::Error,
    id::{Kind, ResourceId},
    query::{PAGE_BYTES, Page, Search, Sort, Start},
};
use serde_json::json;

use super::{ENTERPRISE, Home, policy, read};

async fn search(
    home: &Home,
    kind: Kind,
    filter: Option<&str>,
    sort: Option<Sort<'_>>,
    start: Start,
    size: usize,
) -> Result<Page, Error> {
    let search = Search {
        filter,
        sort,
        start,
        size,
        with_groups: false,
    };
    home.directory.find(kind, search).await
}

async fn find(home: &Home, kind: Kind, filter: &str) -> Result<Page, Error> {
    search(home, kind, Some(filter), None, Start::Offset(0), 100).await
}

async fn found(home: &Home, kind: Kind, filter: &str) -> Vec<ResourceId> {
    let page = find(home, kind, filter)
        .await
        .unwrap_or_else(|error| panic!("{filter}: {error}"));
    assert_eq!((page.total as usize, page.more), (page.seen.len(), false), "{filter}");
    page.seen.into_iter().map(|seen| seen.record.id).collect()
}

fn kind_of(refused: Result<Page, Error>) -> scim::ErrorKind {
    match refused {
        Err(Error::Scim(error)) => error.kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_filter_finds_what_it_says_by_whatever_way() {
    let home = Home::new();
    let boss = home.user("boss").await;
    let ada = home
        .create(json!({
            "userName": "Ada@kestrelworks.example", "externalId": "X-1", "displayName": "Ada", "title": "Dr",
            "emails": [{"type": "work", "value": "ada@x"}, {"type": "home", "value": "bo@x"}],
            ENTERPRISE: {"manager": {"value": boss.to_string()}},
        }))
        .await
        .id;
    let bo = home
        .create(json!({
            "userName": "bo", "externalId": "x-1", "displayName": "Ada", "active": false,
            "emails": [{"type": "work", "value": "bo@x"}],
        }))
        .await
        .id;
    let cases = [
        // Indexes.
        ("userName eq \"ADA@kestrelworks.example\"".to_owned(), vec![ada]),
        ("externalId eq \"X-1\"".to_owned(), vec![ada]),
        ("displayName eq \"ada\"".to_owned(), vec![ada, bo]),
        ("displayName eq \"Ada\" and userName eq \"bo\"".to_owned(), vec![bo]),
        ("userName eq \"bo\" and active eq true".to_owned(), vec![]),
        ("emails eq \"BO@x\"".to_owned(), vec![ada, bo]),
        ("emails.value eq \"bo@x\"".to_owned(), vec![ada, bo]),
        ("emails[type eq \"work\" and value eq \"bo@x\"]".to_owned(), vec![bo]),
        (
            "emails[type eq \"work\" or value eq \"bo@x\"]".to_owned(),
            vec![ada, bo],
        ),
        ("userName eq \"nobody\"".to_owned(), vec![]),
        // Ids, in any letter case.
        (format!("id eq \"{ada}\""), vec![ada]),
        (format!("id eq \"{}\"", ada.to_string().to_uppercase()), vec![ada]),
        ("id eq \"nonsense\"".to_owned(), vec![]),
        (format!("id eq \"{bo}\" and userName eq \"boss\""), vec![]),
        // The manager (R06).
        (format!("{ENTERPRISE}:manager eq \"{boss}\""), vec![ada]),
        (
            format!("{ENTERPRISE}:manager.value eq \"{}\"", boss.to_string().to_uppercase()),
            vec![ada],
        ),
        (
            format!("id eq \"{ada}\" and {ENTERPRISE}:manager eq \"{boss}\""),
            vec![ada],
        ),
        (format!("id eq \"{bo}\" and {ENTERPRISE}:manager eq \"{boss}\""), vec![]),
        // Looking at everything.
        ("title pr".to_owned(), vec![ada]),
        ("active eq false".to_owned(), vec![bo]),
        ("not (userName eq \"bo\")".to_owned(), vec![boss, ada]),
        ("userName eq \"bo\" or userName eq \"boss\"".to_owned(), vec![boss, bo]),
        ("userName sw \"bo\"".to_owned(), vec![boss, bo]),
        ("displayName eq \"Ada\" and not (title pr)".to_owned(), vec![bo]),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(&home, Kind::User, &filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn memberships_are_asked_from_both_sides() {
    let home = Home::new();
    let (ada, bo) = (home.user("ada").await, home.user("bo").await);
    let (one, two) = (home.group("one", &[ada]).await, home.group("two", &[ada, bo]).await);
    let stranger = ResourceId::generate();
    let groups = [
        (format!("members eq \"{ada}\""), vec![one, two]),
        (
            format!("members.value eq \"{}\"", bo.to_string().to_uppercase()),
            vec![two],
        ),
        (format!("members[value eq \"{bo}\"]"), vec![two]),
        (format!("id eq \"{one}\" and members eq \"{ada}\""), vec![one]),
        (format!("id eq \"{one}\" and members eq \"{bo}\""), vec![]),
        (format!("members eq \"{ada}\" and members eq \"{bo}\""), vec![two]),
        (format!("members eq \"{ada}\" and displayName eq \"ONE\""), vec![one]),
        (format!("members eq \"{stranger}\""), vec![]),
        ("members eq \"nonsense\"".to_owned(), vec![]),
    ];
    for (filter, expected) in groups {
        assert_eq!(found(&home, Kind::Group, &filter).await, expected, "{filter}");
    }
    assert_eq!(
        found(&home, Kind::User, &format!("groups eq \"{two}\"")).await,
        [ada, bo]
    );
    assert_eq!(
        found(
            &home,
            Kind::User,
            &format!("groups.value eq \"{one}\" and userName sw \"a\"")
        )
        .await,
        [ada]
    );

    // Anywhere in a filter, beside what is asked of the document.
    let empty = home.group("empty", &[]).await;
    for (filter, expected) in [
        (format!("not (members eq \"{bo}\")"), vec![one, empty]),
        (format!("members eq \"{bo}\" or displayName eq \"ONE\""), vec![one, two]),
        (
            format!("displayName sw \"t\" and (members eq \"{ada}\" or members pr)"),
            vec![two],
        ),
        ("members pr".to_owned(), vec![one, two]),
        ("members.value eq null".to_owned(), vec![empty]),
        ("not (members pr) or members eq \"nonsense\"".to_owned(), vec![empty]),
    ] {
        assert_eq!(found(&home, Kind::Group, &filter).await, expected, "{filter}");
    }
    let alone = home.user("cy").await;
    assert_eq!(found(&home, Kind::User, "groups pr").await, [ada, bo]);
    let neither = format!("not (groups eq \"{one}\" or userName eq \"bo\")");
    assert_eq!(found(&home, Kind::User, &neither).await, [alone]);
}

#[tokio::test]
async fn looks_at_memberships_are_bounded_as_looks_at_resources_are() {
    let home = Home::with(Policy {
        scan_limit: 3,
        ..policy()
    });
    for name in ["a", "b", "c"] {
        home.user(name).await;
    }
    let group = home.group("g", &[]).await;
    let other = ResourceId::generate();
    let once = format!("not (groups eq \"{group}\")");
    assert_eq!(found(&home, Kind::User, &once).await.len(), 3);
    let twice = format!("not (groups eq \"{group}\" or groups eq \"{other}\")");
    assert_eq!(kind_of(find(&home, Kind::User, &twice).await), scim::ErrorKind::TooMany);
}

#[tokio::test]
async fn a_filter_beyond_the_limit_is_refused_unless_an_index_helps() {
    let mut policy = policy();
    policy.scan_limit = 3;
    let home = Home::with(policy);
    let mut users = Vec::new();
    for number in 0..3 {
        users.push(home.user(&format!("u{number}")).await);
    }
    assert_eq!(found(&home, Kind::User, "title pr or userName pr").await, users);
    let last = home.user("u3").await;
    for filter in ["title pr", "userName eq \"u3\" or title pr"] {
        assert_eq!(
            kind_of(find(&home, Kind::User, filter).await),
            scim::ErrorKind::TooMany,
            "{filter}"
        );
    }
    assert_eq!(
        found(&home, Kind::User, "userName eq \"u3\" and active eq true").await,
        [last]
    );
    users.push(last);
    let group = home.group("g", &users).await;
    assert_eq!(
        kind_of(find(&home, Kind::User, &format!("groups eq \"{group}\"")).await),
        scim::ErrorKind::TooMany
    );
    assert_eq!(
        found(&home, Kind::Group, &format!("members eq \"{last}\"")).await,
        [group]
    );
}

#[tokio::test]
async fn results_come_in_pages_by_index_and_by_cursor() {
    let home = Home::new();
    let mut users = Vec::new();
    for number in 0..5 {
        users.push(home.user(&format!("u{number}")).await);
    }
    for filter in [None, Some("userName sw \"u\"")] {
        let cases = [
            (Start::Offset(0), 2, &users[..2], true),
            (Start::Offset(4), 2, &users[4..], false),
            (Start::Offset(9), 2, &users[5..], false),
            (Start::After(users[1]), 2, &users[2..4], true),
            (Start::After(users[4]), 2, &users[5..], false),
            (Start::Offset(0), 5, &users[..], false),
            (Start::Offset(0), 0, &users[..0], true),
        ];
        for (start, size, expected, more) in cases {
            let page = search(&home, Kind::User, filter, None, start, size).await.unwrap();
            let ids: Vec<_> = page.seen.iter().map(|seen| seen.record.id).collect();
            assert_eq!(
                (ids.as_slice(), page.total, page.more),
                (expected, 5, more),
                "{filter:?} {start:?} {size}"
            );
        }
    }
}

#[tokio::test]
async fn a_filter_that_is_none_is_refused() {
    let home = Home::new();
    for filter in ["userName eq", "userName is \"x\"", "(userName eq \"x\"", "nonsense"] {
        assert_eq!(
            kind_of(find(&home, Kind::User, filter).await),
            scim::ErrorKind::InvalidFilter,
            "{filter}"
        );
    }
}

#[tokio::test]
async fn results_come_in_the_order_of_an_attribute() {
    let home = Home::new();
    let mut users = Vec::new();
    for (name, title) in [("C", Some("x")), ("a", None), ("B", Some("Y")), ("d", Some("X"))] {
        let body = json!({"userName": name, "title": title, "externalId": name});
        users.push(home.create(body).await.id);
    }
    let [c, a, b, d] = users[..] else { panic!() };
    for (by, descending, expected) in [
        ("userName", false, [a, b, c, d]),
        ("USERNAME", true, [d, c, b, a]),
        // In the order of letters' codes, as the attribute is caseExact.
        ("externalId", false, [b, c, a, d]),
        // Equal ones by creation, whichever way; without a value last, and first the other way round.
        ("title", false, [c, d, b, a]),
        ("title", true, [a, b, c, d]),
        ("id", true, [d, b, a, c]),
        ("meta.created", false, [c, a, b, d]),
    ] {
        let sort = Some(Sort { by, descending });
        for filter in [None, Some("userName pr")] {
            let mut seen = Vec::new();
            let mut start = Some(Start::Offset(0));
            while let Some(at) = start {
                let page = search(&home, Kind::User, filter, sort, at, 3).await.unwrap();
                assert_eq!((page.total, page.more), (4, page.next.is_some()));
                seen.extend(page.seen.iter().map(|seen| seen.record.id));
                start = page.next;
            }
            assert_eq!(seen, expected, "{by} {descending} {filter:?}");
            let page = search(&home, Kind::User, filter, sort, Start::Offset(2), 1)
                .await
                .unwrap();
            assert_eq!(page.seen[0].record.id, expected[2], "{by}");
        }
    }
    let refused = |kind, by| {
        let home = &home;
        async move {
            let sort = Some(Sort { by, descending: false });
            kind_of(search(home, kind, None, sort, Start::Offset(0), 1).await)
        }
    };
    for by in ["nothing", "name", "groups", "groups.value", "a b"] {
        assert_eq!(refused(Kind::User, by).await, scim::ErrorKind::InvalidPath, "{by}");
    }
    assert_eq!(refused(Kind::Group, "members").await, scim::ErrorKind::InvalidPath);
    for number in 0..50 {
        home.user(&format!("u{number}")).await;
    }
    assert_eq!(refused(Kind::User, "userName").await, scim::ErrorKind::TooMany);
}

#[tokio::test]
async fn a_sorted_search_goes_on_whatever_happened_between_its_pages() {
    let sort = Some(Sort {
        by: "title",
        descending: false,
    });
    for change in [
        "nothing",
        "gone before",
        "new before",
        "moved on",
        "moved back",
        "gone itself",
    ] {
        let home = Home::new();
        let mut users = Vec::new();
        for title in ["b", "d", "f", "h", "j"] {
            users.push(home.create(json!({"userName": title, "title": title})).await.id);
        }
        let page = search(&home, Kind::User, None, sort, Start::Offset(0), 2)
            .await
            .unwrap();
        let title =
            |id, title: &'static str| home.patch_user(id, json!([{"op": "replace", "path": "title", "value": title}]));
        let delete = async |id: ResourceId| {
            let caller = Default::default();
            home.directory
                .delete(Kind::User, &id.to_string(), caller)
                .await
                .unwrap();
        };
        match change {
            "gone before" => delete(users[0]).await,
            "gone itself" => delete(users[1]).await,
            "new before" => drop(home.create(json!({"userName": "a", "title": "a"})).await),
            "moved on" => drop(title(users[1], "k").await),
            "moved back" => drop(title(users[1], "a").await),
            _ => {}
        }
        let rest = search(&home, Kind::User, None, sort, page.next.unwrap(), 9)
            .await
            .unwrap();
        let rest: Vec<_> = rest.seen.iter().map(|seen| seen.record.id).collect();
        // None of those that were still to come is left out.
        let kept: Vec<_> = rest.iter().copied().filter(|id| users[2..].contains(id)).collect();
        assert_eq!(kept, users[2..], "{change}");
        assert!(rest.len() <= 4, "{change}: at most one is given again");
    }
}

#[tokio::test]
async fn a_page_ends_where_a_message_would_be_too_large() {
    let home = Home::new();
    // Twenty of a megabyte each; a page holds sixteen.
    let large = |n: usize| {
        let value = |at: usize| format!("{n:02}{at:02}{}", "A".repeat(65_532));
        let certificates: Vec<_> = (0..16).map(|at| json!({"value": value(at)})).collect();
        json!({"userName": format!("{n:02}"), "title": "Dr", "x509Certificates": certificates})
    };
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(home.create(large(n)).await.id);
    }
    let by = |descending| {
        Some(Sort {
            by: "userName",
            descending,
        })
    };
    for (filter, sort) in [
        (None, None),
        (Some("title pr"), None),
        (Some("title pr"), by(false)),
        (None, by(true)),
    ] {
        let mut expected = ids.clone();
        if sort.is_some_and(|sort| sort.descending) {
            expected.reverse();
        }
        let (mut start, mut seen) = (Start::Offset(0), Vec::new());
        for pages in 1.. {
            let page = search(&home, Kind::User, filter, sort, start, 100).await.unwrap();
            assert_eq!(page.total, 20, "{filter:?} {sort:?}");
            assert!(page.seen.iter().map(|seen| seen.record.bytes()).sum::<usize>() <= PAGE_BYTES);
            seen.extend(page.seen.iter().map(|seen| seen.record.id));
            // By index, too, what follows is found where the page says that it ended.
            if pages == 1 {
                assert!(page.seen.len() < 20 && page.more, "{}", page.seen.len());
                let after = Start::Offset(page.seen.len() as u64);
                let rest = search(&home, Kind::User, filter, sort, after, 100).await.unwrap();
                let rest = rest.seen.into_iter().map(|seen| seen.record.id);
                assert_eq!(seen.iter().copied().chain(rest).collect::<Vec<_>>(), expected);
            }
            match page.next {
                Some(next) => start = next,
                None => break,
            }
        }
        assert_eq!(seen, expected, "{filter:?} {sort:?}");
    }
}

#[tokio::test]
async fn a_resource_does_not_grow_without_bound() {
    let home = Home::new();
    let id = home.user("ada").await;
    let emails: Vec<_> = (0..1_000).map(|n| json!({"value": format!("{n}@x")})).collect();
    home.patch_user(id, json!([{"op": "add", "path": "emails", "value": emails}]))
        .await;
    let before = home.record(Kind::User, id).await;
    // Each value of many gets a long text: a small request, and a large user.
    let text = "x".repeat(4_096);
    let operations = json!(
        ["display", "type"].map(|part| json!({"op": "replace", "path": format!("emails.{part}"), "value": text}))
    );
    let refused = home
        .directory
        .patch_user(&id.to_string(), read(operations), Caller::default())
        .await;
    match refused {
        Err(Error::Scim(error)) => {
            assert_eq!(error.kind, scim::ErrorKind::InvalidValue);
            assert!(error.detail.contains("`emails`"), "{}", error.detail);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(home.record(Kind::User, id).await, before);
}

#[tokio::test]
async fn a_refused_search_does_not_repeat_what_was_searched_for() {
    let home = Home::new();
    for filter in [
        "groups co \"odile.marchetti\"",
        "not (groups[display eq \"odile.marchetti\"])",
        "title eq \"odile.marchetti\" or groups.display eq \"odile.marchetti\"",
        "groups.type pr",
    ] {
        let error = find(&home, Kind::User, filter).await.unwrap_err().to_string();
        assert!(
            error.contains("`groups`") && !error.contains("odile"),
            "{filter}: {error}"
        );
    }
}

#[tokio::test]
async fn a_literal_needs_no_quotes_to_use_an_index() {
    let home = Home::with(Policy {
        scan_limit: 1,
        ..policy()
    });
    let mut ids = Vec::new();
    for name in ["417", "418", "true"] {
        ids.push(home.create(json!({"userName": name, "externalId": name})).await.id);
    }
    // A scan would meet its limit.
    for (filter, id) in [
        ("userName eq 417", ids[0]),
        ("externalId eq 418", ids[1]),
        ("userName eq true", ids[2]),
    ] {
        assert_eq!(found(&home, Kind::User, filter).await, [id], "{filter}");
    }
    assert_eq!(
        kind_of(find(&home, Kind::User, "title eq 417").await),
        scim::ErrorKind::TooMany
    );
}
