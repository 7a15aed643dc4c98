//! What comes after what: an operation after those that create what it refers to, operations on one resource in the
//! order of the request, and all else in that order too. The order in which a client wrote them decides nothing else.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::{
    BulkMethod, Refusal, Step,
    order::{circles, order},
    read::{Aside, Entry, Place, Task},
    reference, value,
};
use crate::schema::Schemas;

/// Finds out what each operation needs, opens circles, and gives all steps in their order.
pub(super) fn plan(entries: &mut [Entry], schemas: &Schemas) -> Vec<Step> {
    let creators: HashMap<String, usize> = entries
        .iter()
        .enumerate()
        .filter_map(|(at, entry)| {
            let creates = entry.method.as_deref() == Some(BulkMethod::Post.name());
            Some((entry.bulk_id.clone().filter(|_| creates)?, at))
        })
        .collect();
    for entry in entries.iter_mut() {
        let Some(Ok(task)) = &entry.task else { continue };
        let names = names(task);
        match names.iter().find(|name| !creators.contains_key(*name)) {
            Some(unknown) => entry.task = Some(Err(nobody(unknown))),
            None => entry.needs = names.into_iter().collect(),
        }
    }
    let circles = circles(&needs(entries, &creators));
    for (at, circle) in circles.iter().enumerate().filter(|(_, circle)| circle.is_some()) {
        let closes = |name: &str| creators.get(name).is_some_and(|creator| circles[*creator] == *circle);
        open(&mut entries[at], schemas, closes);
    }
    refuse_closed(entries, &creators);
    steps(entries, &creators)
}

fn names(task: &Task) -> BTreeSet<String> {
    let mut names = task.data.as_ref().map(reference::names).unwrap_or_default();
    if let Place::Created(name) = &task.place {
        names.insert(name.clone());
    }
    names
}

/// The operations that each one needs. Only those that create something are needed by others.
fn needs(entries: &[Entry], creators: &HashMap<String, usize>) -> Vec<Vec<usize>> {
    let needs = entries.iter().map(|entry| indices(&entry.needs, creators));
    needs.collect()
}

fn indices(names: &[String], creators: &HashMap<String, usize>) -> Vec<usize> {
    names.iter().filter_map(|name| creators.get(name).copied()).collect()
}

/// Sets aside what closes the circle.
fn open(entry: &mut Entry, schemas: &Schemas, closes: impl Fn(&str) -> bool) {
    let Some(Ok(task)) = &mut entry.task else { return };
    let Some(Value::Object(attributes)) = &mut task.data else {
        return;
    };
    let attributes = reference::set_aside(schemas.resource(task.resource_type), attributes, &closes);
    entry.needs = names(task).into_iter().collect();
    let attributes = Value::Object(attributes);
    let needs = reference::names(&attributes).into_iter().collect();
    if let Value::Object(attributes) = attributes {
        entry.aside = (!attributes.is_empty()).then_some(Aside { attributes, needs });
    }
}

/// Refuses what is in a circle still: each needs the others to exist first.
fn refuse_closed(entries: &mut [Entry], creators: &HashMap<String, usize>) {
    let circles = circles(&needs(entries, creators));
    for (entry, _) in entries.iter_mut().zip(circles).filter(|(_, circle)| circle.is_some()) {
        entry.task = Some(Err(Refusal::new(
            409,
            "the operation refers to others by bulkId in a circle, with an attribute that its resource cannot be created without",
        )));
        entry.needs.clear();
        entry.aside = None;
    }
}

fn steps(entries: &[Entry], creators: &HashMap<String, usize>) -> Vec<Step> {
    // Each operation has two nodes, one for itself and one for what follows; the second may do nothing.
    let (run, complete) = (|at: usize| 2 * at, |at: usize| 2 * at + 1);
    let mut after = vec![Vec::new(); 2 * entries.len()];
    let mut last = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        after[run(at)].extend(indices(&entry.needs, creators).into_iter().map(run));
        after[complete(at)].push(run(at));
        if let Some(aside) = &entry.aside {
            after[complete(at)].extend(indices(&aside.needs, creators).into_iter().map(run));
        }
        let Some(Ok(task)) = &entry.task else { continue };
        let place = match &task.place {
            Place::Endpoint => continue,
            Place::Resource(id) => (task.resource_type, id, false),
            Place::Created(name) => {
                // Not before it is whole.
                let creator = creators.get(name).filter(|creator| entries[**creator].aside.is_some());
                after[run(at)].extend(creator.copied().map(complete));
                (task.resource_type, name, true)
            }
        };
        after[run(at)].extend(last.insert(place, run(at)));
    }
    let nodes = order(&after).into_iter();
    let steps = nodes.filter_map(|node| match (node / 2, node % 2) {
        (at, 0) => Some(Step::Run(at)),
        (at, _) => entries[at].aside.is_some().then_some(Step::Complete(at)),
    });
    steps.collect()
}

fn nobody(name: &str) -> Refusal {
    let shown: String = name.chars().take(100).collect();
    value(format!("no POST of this request has the bulkId `{shown}`"))
}
