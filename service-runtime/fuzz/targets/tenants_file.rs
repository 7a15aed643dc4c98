//! The file of tenants, and a section of it laid over settings: whatever stands there, it is read or refused, and an error never
//! shows a value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use service_runtime::{
    OpsArgs, TenantsFile,
    tenants::{CREDENTIALS, DIRECTORY, PLATFORM},
};

fuzz_target!(|text: &str| {
    let Ok(file) = TenantsFile::parse(text) else { return };
    // A reference may lead to a file that nobody ends, or to a secret of this machine.
    if ["file", "env"].iter().any(|word| text.contains(word)) {
        return;
    }
    for tenant in file.tenants() {
        assert!(!tenant.name().is_empty() && tenant.name().len() <= 63);
        for section in [CREDENTIALS, DIRECTORY, PLATFORM] {
            let _ = tenant.over(section, &OpsArgs::default(), |_| true);
        }
    }
});
