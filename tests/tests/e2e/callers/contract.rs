//! The methods of the contract and the rights that they state, as the descriptors have them.

use prost_reflect::{DescriptorPool, Value};

/// Path and right of each method of a package.
pub(super) fn methods(package: &str) -> Vec<(String, String)> {
    let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
    let option = pool.get_extension_by_name("delinea.scim.auth.v1.right").unwrap();
    let rights = pool.get_enum_by_name("delinea.scim.auth.v1.Right").unwrap();
    let services = pool
        .services()
        .filter(|service| service.full_name().starts_with(package));
    let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    methods
        .map(|method| {
            let Value::EnumNumber(number) = method.options().get_extension(&option).into_owned() else {
                panic!("{} states no right", method.full_name());
            };
            let right = rights.get_value(number).unwrap();
            let name = right.name().strip_prefix("RIGHT_").unwrap().to_lowercase();
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            (path, name)
        })
        .collect()
}
