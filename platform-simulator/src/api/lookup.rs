//! The calls that read one account, by id or by name.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Call;
use super::rules::{known, local, required};
use crate::envelope::{self, Done, Failure, Outcome};
use crate::records::{Group, User};

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let id = required(call, "ID")?;
    let user = call.platform.read(|state| local(state, call.profile, &id).cloned())?;
    Ok(Done::read(attributes_of(&call.platform.seen(&user))).about(&user.id))
}

pub(super) fn get_by_name(call: &Call<'_>) -> Outcome {
    let name = required(call, "username")?;
    let found = call.platform.read(|state| state.namesake(&name, true).cloned());
    let user = found.ok_or_else(|| Failure::new(&call.profile.texts.unknown_user, &name))?;
    Ok(Done::read(attributes_of(&call.platform.seen(&user))).about(&user.id))
}

pub(super) fn attributes(call: &Call<'_>) -> Outcome {
    let id = required(call, "ID")?;
    let user = call.platform.read(|state| known(state, call.profile, &id).cloned())?;
    let mut attributes = attributes_of(&call.platform.seen(&user));
    if let Value::Object(attributes) = &mut attributes
        && !call.profile.attributes_identify
    {
        attributes.retain(|name, _| !matches!(name.as_str(), "ID" | "Uuid" | "Name"));
    }
    Ok(Done::read(attributes).about(&user.id))
}

pub(super) fn is_cloud_locked(call: &Call<'_>) -> Outcome {
    let id = required(call, "user")?;
    let user = call.platform.read(|state| known(state, call.profile, &id).cloned())?;
    Ok(Done::read(json!(user.cloud_locked)).about(&user.id))
}

/// Everything about one account at once.
pub(super) fn info(call: &Call<'_>) -> Outcome {
    let id = required(call, "ID")?;
    let (user, groups) = call.platform.read(|state| {
        let user = known(state, call.profile, &id)?;
        let groups = state
            .groups_of(&user.id)
            .map(|group| json!({ "ID": group.id, "Name": group.name }));
        Ok::<_, Failure>((Arc::clone(user), groups.collect::<Vec<_>>()))
    })?;
    let mut attributes = attributes_of(&call.platform.seen(&user));
    attributes["Roles"] = json!(groups);
    attributes["CloudLocked"] = json!(user.cloud_locked);
    Ok(Done::read(attributes).about(&user.id))
}

/// The groups that an account is in directly.
pub(super) fn roles_and_rights(call: &Call<'_>) -> Outcome {
    let id = required(call, "id")?;
    let rows = call.platform.read(|state| {
        let user = known(state, call.profile, &id)?;
        let row = |group: &Arc<Group>| (group.id.clone(), json!({ "ID": group.id, "Name": group.name }));
        Ok::<Vec<_>, Failure>(state.groups_of(&user.id).map(row).collect())
    })?;
    let full_count = call.profile.full_count.then_some(rows.len());
    let columns = ["ID", "Name"].map(str::to_owned);
    Ok(Done::read(envelope::rows("Role", &columns, full_count, rows)).about(&id))
}

fn attributes_of(user: &User) -> Value {
    let date = format!("/Date({})/", user.create_date);
    json!({
        "ID": user.id,
        "Uuid": user.id,
        "Name": user.name,
        "Mail": user.mail,
        "DisplayName": user.display_name,
        "Description": user.description,
        "State": user.state,
        "CloudState": user.state,
        "InEverybodyRole": user.in_everybody_role,
        "ServiceUser": user.service_user,
        "OauthClient": user.oauth_client,
        "PasswordNeverExpire": user.password_never_expire,
        "ForcePasswordChangeNext": user.force_password_change_next,
        "OfficeNumber": user.office_number,
        "HomeNumber": user.home_number,
        "MobileNumber": user.mobile_number,
        "ReportsTo": user.reports_to,
        "AccountExp": user.account_exp,
        "CmaRedirectedUser": "",
        "CmaRedirectedUserUuid": user.cma_redirected_user_uuid,
        "Alias": user.name.rsplit_once('@').map_or("", |(_, suffix)| suffix),
        "PreferredCulture": user.preferred_culture,
        "Version": user.version.to_string(),
        "directoryServiceUuid": user.directory_uuid(),
        "PictureUri": Value::Null,
        "CreateDate": date,
        "LastPasswordChangeDate": date,
        "SubjectToCloudLocks": true,
    })
}
