use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn data_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    dir
}

fn current_id(dir: &Path) -> KeyId {
    read(dir).unwrap().unwrap().current().public().id()
}

#[test]
fn a_rotation_keeps_every_key_and_a_start_takes_them_all() {
    let dir = data_dir();
    let dir = dir.path();
    assert!(read(dir).unwrap().is_none());
    assert!(rotate(dir).unwrap_err().text().contains("There is no service key"));
    let first = take(dir).unwrap();
    assert!(first.older.is_empty());
    let one = rotate(dir).unwrap();
    assert_eq!(one.before, first.keyring.current().public().id());
    let two = rotate(dir).unwrap();
    assert_eq!((two.before, current_id(dir)), (one.key.id(), two.key.id()));
    let now = take(dir).unwrap();
    assert_eq!((now.older.len(), now.keyring.current().public().id()), (2, two.key.id()));
    for id in [one.before, one.key.id(), two.key.id()] {
        assert!(now.keyring.by_id(id).is_some(), "{id}");
    }
    let file = kept_path(dir, one.before);
    let hex = one.before.to_string();
    assert_eq!(file.file_name().unwrap().to_str().unwrap(), format!("{}.key", &hex[7..23]));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&file), mode(&dir.join(KEY_FILE)), mode(&dir.join(OLDER))),
        (0o600, 0o600, 0o700)
    );
}

#[test]
fn a_rotation_that_was_broken_off_anywhere_can_be_run_again() {
    // Broken off after the link: the key is in both places and is the current one still.
    let dir = data_dir();
    let dir = dir.path();
    let before = take(dir).unwrap().keyring.current().public().id();
    private_file::folder(&dir.join(OLDER)).unwrap();
    fs::hard_link(dir.join(KEY_FILE), kept_path(dir, before)).unwrap();
    assert!(take(dir).unwrap().older.is_empty());
    assert!(older(dir).unwrap().is_empty(), "the current key is no older one");
    // Broken off while the new key is written beside.
    fs::write(dir.join("service.key.new"), b"half a k").unwrap();
    let rotated = rotate(dir).unwrap();
    assert_eq!((rotated.before, current_id(dir)), (before, rotated.key.id()));
    assert_eq!(older(dir).unwrap().len(), 1);
    assert!(!dir.join("service.key.new").exists());
}

#[test]
fn a_key_that_a_server_runs_with_is_not_deleted() {
    let dir = data_dir();
    let dir = dir.path();
    let running = take(dir).unwrap();
    let rotated = rotate(dir).unwrap();
    let Err(refused) = older(dir) else { panic!("the key is in use") };
    assert_eq!(refused.code(), "key_in_use");
    let restarted = take(dir).unwrap();
    drop(running);
    let retired = older(dir).unwrap();
    assert_eq!(retired.iter().map(|key| key.id).collect::<Vec<_>>(), [rotated.before]);
    delete(dir, &retired).unwrap();
    assert!(older(dir).unwrap().is_empty());
    assert_eq!(restarted.older, [rotated.before], "who has it keeps it until it ends");
    assert!(take(dir).unwrap().older.is_empty());
}

#[test]
fn a_key_under_another_ones_name_is_refused() {
    let dir = data_dir();
    let dir = dir.path();
    take(dir).unwrap();
    let before = rotate(dir).unwrap().before;
    fs::rename(kept_path(dir, before), dir.join(OLDER).join("0123456789abcdef.key")).unwrap();
    let Err(refused) = take(dir) else { panic!("it is misnamed") };
    assert!(refused.text().contains("misnamed"), "{}", refused.text());
}
