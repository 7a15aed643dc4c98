//! Files and folders that nobody but their owner can look into: stores, tokens, addresses.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Makes a folder, and those around it, if it is not there yet. One that is there stays as it is: whoever made it chose who
/// may look into it.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file, over one that is there if need be; it is on disk when this returns.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // The mode above is only for a file that was not there.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_owner_can_look_inside() {
        let around = tempfile::tempdir().unwrap();
        let (folder, file) = (around.path().join("a/b"), around.path().join("a/b/token"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        make_folder(&folder).unwrap();
        make_folder(&folder).unwrap();
        assert_eq!((mode(&folder), mode(folder.parent().unwrap())), (0o700, 0o700));
        fs::write(&file, "a longer text than the one to come").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        write(&file, "short").unwrap();
        assert_eq!(
            (mode(&file), fs::read_to_string(&file).unwrap()),
            (0o600, "short".to_owned())
        );
    }
}
