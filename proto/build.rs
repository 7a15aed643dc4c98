//! Compiles the contract with protox (no `protoc` on the machine) and writes messages and services with tonic-build.
//!
//! The resource messages get serde besides, so that one `.proto` message is at once the gRPC type and the SCIM JSON.
//! The names in the JSON are the descriptor's own `json_name`s; nothing is listed twice.

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result};
use prost_types::{DescriptorProto, FieldDescriptorProto, field_descriptor_proto::Label, field_descriptor_proto::Type};

const PROTOS: &[&str] = &[
    "delinea/scim/resource/v1/user.proto",
    "delinea/scim/resource/v1/group.proto",
    "delinea/scim/identity/v1/audit_service.proto",
    "delinea/scim/identity/v1/user_service.proto",
    "delinea/scim/identity/v1/group_service.proto",
    "delinea/scim/identity/v1/change_service.proto",
    "delinea/scim/identity/v1/credential_service.proto",
    "delinea/scim/identity/v1/delivery_service.proto",
    "delinea/scim/identity/v1/drift_service.proto",
    "delinea/scim/identity/v1/relink_service.proto",
    "delinea/scim/identity/v1/schema_service.proto",
    "delinea/scim/adapter/v1/adapter_service.proto",
    "delinea/scim/auth/v1/right.proto",
    "delinea/scim/error/v1/error_reason.proto",
];

const RESOURCE_PACKAGE: &str = "delinea.scim.resource.v1";

fn main() -> Result<()> {
    // tonic-prost-build 0.14 tells Cargo nothing about what to watch.
    println!("cargo:rerun-if-changed=delinea");

    let mut compiler = protox::Compiler::new(["."])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(PROTOS)?;
    let descriptors = compiler.file_descriptor_set();
    let out = PathBuf::from(env::var("OUT_DIR").context("cargo sets OUT_DIR")?);
    // Encoded by the compiler: the generated types do not know our own options, and would drop them.
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    let mut builder = tonic_prost_build::configure().bytes(".none");
    for message in descriptors
        .file
        .iter()
        .filter(|file| file.package() == RESOURCE_PACKAGE)
        .flat_map(|file| &file.message_type)
    {
        let path = format!(".{RESOURCE_PACKAGE}.{}", message.name());
        builder = builder.message_attribute(
            &path,
            "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default)]",
        );
        for field in &message.field {
            builder = builder.field_attribute(format!("{path}.{}", field.name()), serde_attribute(message, field));
        }
    }
    builder.compile_fds(descriptors)?;
    Ok(())
}

/// How one field stands in the JSON: by its `json_name`, left out when absent.
fn serde_attribute(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let name = field.json_name();
    let is_map = field.type_name().ends_with("Entry")
        && message
            .nested_type
            .iter()
            .any(|nested| field.type_name().ends_with(nested.name()));
    if is_map {
        // Extensions stand beside the attributes, each under its URN.
        r#"#[serde(flatten, with = "crate::json::extensions")]"#.to_owned()
    } else if field.label() == Label::Repeated {
        format!(r#"#[serde(rename = "{name}", skip_serializing_if = "Vec::is_empty")]"#)
    } else if field.r#type() == Type::Message && field.type_name() == ".google.protobuf.Timestamp" {
        format!(
            r#"#[serde(rename = "{name}", skip_serializing_if = "Option::is_none", with = "crate::json::timestamp")]"#
        )
    } else {
        format!(r#"#[serde(rename = "{name}", skip_serializing_if = "Option::is_none")]"#)
    }
}
