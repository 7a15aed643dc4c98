//! Every method of the contract states the right that its caller needs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use prost_reflect::{DescriptorPool, Value};

/// The name of the stated right; `None` where a method states none.
fn stated(pool: &DescriptorPool, options: &prost_reflect::DynamicMessage) -> Option<String> {
    let option = pool.get_extension_by_name("delinea.scim.auth.v1.right").unwrap();
    let value = options
        .has_extension(&option)
        .then(|| options.get_extension(&option).into_owned())?;
    let Value::EnumNumber(number) = value else {
        panic!("a right is one of an enum, and not {value:?}");
    };
    let names = pool.get_enum_by_name("delinea.scim.auth.v1.Right").unwrap();
    let name = names.get_value(number).unwrap().name().to_owned();
    (number != 0).then_some(name)
}

#[test]
fn every_method_states_a_right() {
    let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
    let methods: Vec<_> = pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    assert!(methods.len() > 40, "only {} methods were found", methods.len());
    let silent: Vec<_> = methods
        .iter()
        .filter(|method| stated(&pool, &method.options()).is_none())
        .map(|method| method.full_name().to_owned())
        .collect();
    assert!(
        silent.is_empty(),
        "these methods state no right; say in their .proto which one their caller needs, as in \
         `rpc GetUser(…) returns (…) {{ option (delinea.scim.auth.v1.right) = RIGHT_READ; }}`: {silent:#?}"
    );
}

/// What only tells, by its name, asks for no more than that; and nothing that changes something is read.
#[test]
fn rights_are_as_the_methods_names_say() {
    let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
    let tells = [
        "Get",
        "BatchGet",
        "List",
        "Stream",
        "Watch",
        "Summarize",
        "Export",
        "Check",
        "Plan",
        "Expect",
    ];
    for method in pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
    {
        let reads = stated(&pool, &method.options()).as_deref() == Some("RIGHT_READ");
        let begins = |verb: &&str| {
            let rest = method.name().strip_prefix(*verb);
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        };
        // Hashes of credentials are told to those alone who check them.
        let guarded = method.name() == "GetVerifiers";
        assert_eq!(reads || guarded, tells.iter().any(begins), "{}", method.full_name());
    }
}
