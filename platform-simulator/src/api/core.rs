//! The calls about the tenant itself: suffixes, directories, federations, and a generated password.

use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::{Value, json};

use super::Call;
use crate::envelope::{self, Done, Outcome};
use crate::records::{CDS_UUID, FDS_UUID};

pub(super) fn generate_password(call: &Call<'_>) -> Outcome {
    const DEFAULT: usize = 16;
    const LONGEST: usize = 256;
    const CLASSES: [&[u8]; 4] = [
        b"abcdefghijkmnopqrstuvwxyz",
        b"ABCDEFGHJKLMNPQRSTUVWXYZ",
        b"23456789",
        b"!#%+-=?@_",
    ];
    let asked = call
        .params
        .text("passwordLength")
        .and_then(|text| text.parse().ok())
        .filter(|n| *n > 0);
    let length = asked.unwrap_or(DEFAULT).clamp(CLASSES.len(), LONGEST);
    let mut dice = rand::rng();
    let mut letters: Vec<u8> = CLASSES
        .iter()
        .cycle()
        .take(length)
        .filter_map(|class| class.choose(&mut dice).copied())
        .collect();
    letters.shuffle(&mut dice);
    Ok(Done::read(json!(String::from_utf8_lossy(&letters))))
}

/// The listed suffixes; where any is accepted, none is listed.
pub(super) fn aliases(call: &Call<'_>) -> Outcome {
    let suffixes = call.profile.suffixes.clone();
    let rows = suffixes.into_iter().map(|suffix| {
        let row = json!({ "ID": suffix, "Domain": suffix });
        (suffix, row)
    });
    Ok(Done::read(envelope::rows(
        "Alias",
        &["ID".to_owned(), "Domain".to_owned()],
        Some(rows.len()),
        rows.collect(),
    )))
}

pub(super) fn directory_services(_: &Call<'_>) -> Outcome {
    let service = |code: &str, name: &str, uuid: &str, everybody: bool| {
        let row = json!({
            "Service": code,
            "Name": name,
            "DisplayName": name,
            "Config": name,
            "Status": "Online",
            "Everybody": everybody,
            "directoryServiceUuid": uuid,
            "Forest": Value::Null,
            "Tenant": "simulated",
        });
        (uuid.to_owned(), row)
    };
    let rows = vec![
        service("CDS", "Delinea Directory", CDS_UUID, true),
        service("FDS", "Federated Directory", FDS_UUID, false),
    ];
    let columns = ["Service", "Name", "DisplayName", "directoryServiceUuid"].map(str::to_owned);
    Ok(Done::read(envelope::rows(
        "DirectoryService",
        &columns,
        Some(rows.len()),
        rows,
    )))
}

pub(super) fn federations(call: &Call<'_>) -> Outcome {
    let id = "5ca1ab1e-0000-4000-8000-0000000000f1";
    let row = json!({
        "ID": id,
        "Uuid": id,
        "Name": "Entra ID",
        "Type": "SAML",
        "Domains": call.profile.suffixes,
        "Enabled": true,
    });
    let rows: Vec<_> = call
        .profile
        .federation
        .then(|| (id.to_owned(), row))
        .into_iter()
        .collect();
    let columns = ["ID", "Name", "Type", "Domains", "Enabled"].map(str::to_owned);
    Ok(Done::read(envelope::rows(
        "Federation",
        &columns,
        Some(rows.len()),
        rows,
    )))
}

/// Which values of the outer directory's groups stand for which groups here.
pub(super) fn group_mappings(call: &Call<'_>) -> Outcome {
    Ok(Done::read(json!({ "Mappings": call.profile.group_mappings })))
}
