//! Requests of which each is sent once: what a cycle of Entra is made of. As in `workload`, an answer is right only when it
//! is about what was asked.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{Answer, Request},
    people,
    slice::Check,
    workload::{Named, Page, by_name, no_content, read},
};

/// A request, and when its answer is right.
pub type Asked = (Request, Check);

/// The ids of what was created, by number.
#[derive(Clone, Debug, Default)]
pub struct Made(Rc<RefCell<BTreeMap<u64, Uuid>>>);

impl Made {
    /// In the order of the numbers.
    pub fn ids(&self) -> Vec<Uuid> {
        self.0.borrow().values().copied().collect()
    }

    /// The user of a number, created.
    pub fn user(&self, n: u64) -> Asked {
        self.create("/Users", n, &people::user(n))
    }

    /// A group of a number, created.
    pub fn group(&self, n: u64) -> Asked {
        self.create("/Groups", n, &people::group(&group_name(n)))
    }

    fn create(&self, path: &str, n: u64, resource: &Value) -> Asked {
        let made = Rc::clone(&self.0);
        let check = move |answer: &Answer| {
            let created: Named = read(answer, StatusCode::CREATED)?;
            made.borrow_mut().insert(n, created.id);
            Ok(())
        };
        let request = Request::new(Method::POST, path.to_owned(), resource.to_string());
        (request, Box::new(check))
    }
}

/// The look-up of a user who is not there yet.
pub fn no_user(n: u64) -> Asked {
    (Request::get(by_name(&people::user_name(n))), Box::new(nothing))
}

/// The look-up of a group that is not there yet.
pub fn no_group(n: u64) -> Asked {
    let name = group_name(n).replace(' ', "+");
    let path = format!("/Groups?excludedAttributes=members&filter=displayName+eq+%22{name}%22");
    (Request::get(path), Box::new(nothing))
}

/// A user with another title.
pub fn title(user: Uuid, title: &str) -> Asked {
    let operation = json!({"op": "Replace", "path": "title", "value": title});
    patch(format!("/Users/{user}"), &operation)
}

/// A user who leaves.
pub fn disable(user: Uuid) -> Asked {
    let operation = json!({"op": "Replace", "path": "active", "value": "False"});
    patch(format!("/Users/{user}"), &operation)
}

/// One member put in (`Add`) or taken out (`Remove`), as the default dialect has it.
pub fn member(op: &str, group: Uuid, user: Uuid) -> Asked {
    let operation = json!({"op": op, "path": "members", "value": [{"$ref": null, "value": user}]});
    patch(format!("/Groups/{group}"), &operation)
}

fn patch(path: String, operation: &Value) -> Asked {
    let request = Request::new(Method::PATCH, path, people::patch(operation));
    (request, Box::new(no_content))
}

fn nothing(answer: &Answer) -> Result<(), String> {
    let page: Page = read(answer, StatusCode::OK)?;
    let nothing = page.total_results == 0 && page.resources.is_empty();
    nothing.then_some(()).ok_or_else(|| "found somebody".to_owned())
}

fn group_name(n: u64) -> String {
    format!("Rack {n:05}")
}
