//! A request id makes a repeat harmless.

use identity_service::{
    id::Kind,
    store::{RequestKey, Write, WriteError},
};

use super::{
    Engine,
    bench::{Bench, at, create, delete, document, update},
};

fn under(id: &str, digest: u8, mut write: Write) -> Write {
    write.request = Some(RequestKey {
        id: id.to_owned(),
        digest: [digest; 32],
    });
    write
}

pub(super) async fn a_repeat_gets_the_first_answer(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let first = bench
        .write(under("r1", 1, create(Kind::User, "odile", &[])))
        .await
        .unwrap();
    bench.touch(Kind::User, first.record.id).await;
    // A repeat is computed anew, so that it carries an id of its own.
    let again = under("r1", 1, create(Kind::User, "odile", &[]));
    let key = again.request.clone().unwrap();
    assert_eq!(bench.write(again).await.unwrap(), first);
    assert_eq!(
        bench.store.answered(&bench.tenant, &key, at(0)).await.unwrap(),
        Some(first)
    );
    assert_eq!(bench.summary().await.users, 1);
    assert_eq!(bench.store.newest_entry(&bench.tenant).await.unwrap(), 2);
}

pub(super) async fn a_repeat_of_a_deletion_gets_the_first_answer(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let write = under("r1", 1, delete(&bench.record(Kind::User, user).await));
    let first = bench.write(write.clone()).await.unwrap();
    assert_eq!(bench.write(write).await.unwrap(), first);
}

pub(super) async fn a_request_id_is_good_for_one_request(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    bench
        .write(under("r1", 1, create(Kind::User, "odile", &[])))
        .await
        .unwrap();
    let other = under("r1", 2, create(Kind::User, "anders", &[]));
    let key = other.request.clone().unwrap();
    let refused = bench.write(other).await;
    assert!(matches!(refused, Err(WriteError::RequestIdReused)), "{refused:?}");
    let refused = bench.store.answered(&bench.tenant, &key, at(0)).await;
    assert!(matches!(refused, Err(WriteError::RequestIdReused)), "{refused:?}");
    assert_eq!(bench.named(Kind::User, "anders").await, None);
}

pub(super) async fn a_refused_request_may_be_tried_again_under_its_id(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let first = bench.user("odile").await;
    let write = under("r1", 1, create(Kind::User, "odile", &[]));
    let refused = bench.write(write.clone()).await;
    assert!(matches!(refused, Err(WriteError::NameTaken)));
    assert_eq!(
        bench
            .store
            .answered(&bench.tenant, write.request.as_ref().unwrap(), at(0))
            .await
            .unwrap(),
        None
    );
    bench.rename(Kind::User, first, "anders").await.unwrap();
    assert!(bench.write(write).await.unwrap().changed);
}

pub(super) async fn a_request_id_is_forgotten_after_a_day(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let touched = async |id: &str, seconds| {
        let record = bench.record(Kind::User, user).await;
        let name = format!("{id} {seconds}");
        let mut write = under(id, 1, update(&record, document(Kind::User, &name)));
        write.now = at(seconds);
        bench.write(write).await.unwrap().record.version
    };
    let day = 24 * 60 * 60;
    assert_eq!(touched("old", 0).await, 2);
    assert_eq!(touched("young", day).await, 3);
    assert_eq!(touched("old", day).await, 2, "still known");
    // Ids are forgotten in passing, by whoever writes under an id.
    assert_eq!(touched("next", day + 1).await, 4);
    assert_eq!(touched("old", day + 1).await, 5, "forgotten, so it is a new request");
    assert_eq!(touched("young", day + 1).await, 3);
}

pub(super) async fn an_old_answer_is_none_though_nobody_swept_it(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let day = 24 * 60 * 60;
    let write = under("r1", 1, create(Kind::User, "odile", &[]));
    let key = write.request.clone().unwrap();
    bench.write(write).await.unwrap();
    let answered = async |seconds| bench.store.answered(&bench.tenant, &key, at(seconds)).await;
    assert!(answered(day).await.unwrap().is_some());
    assert_eq!(answered(day + 1).await.unwrap(), None);
    // Used again, the id is remembered for a day from then on, whatever is forgotten of the first time.
    let mut again = under("r1", 2, create(Kind::User, "anders", &[]));
    again.now = at(day + 1);
    let again_key = again.request.clone().unwrap();
    bench.write(again).await.unwrap();
    let mut passing = under("r2", 3, create(Kind::User, "bo", &[]));
    passing.now = at(day + 2);
    bench.write(passing).await.unwrap();
    let kept = bench.store.answered(&bench.tenant, &again_key, at(day + 2)).await;
    assert!(kept.unwrap().is_some());
}
