//! Where local datasets lie: below their owner's folder in the data root, by whatever links.
//!
//! That folder is `<root>/<collaboration>/<owner>`. A member can't name another's data, in the same
//! collaboration or in any other, whatever path it publishes.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use chancery_governance::dataset::Store;
use chancery_ledger::id::{CollaborationId, MemberId};

/// Most files and folders of an input that are looked at.
pub const ENTRIES_MAX: usize = 100_000;
/// Deepest folder of an input.
pub const DEPTH_MAX: usize = 32;

/// The folder under which local datasets lie.
#[derive(Debug, Clone)]
pub struct DataRoot(PathBuf);

/// A member's own folder, as the paths of its datasets are relative to.
#[derive(Debug, Clone, Copy)]
pub struct Home {
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// The member.
    pub owner: MemberId,
}

impl Home {
    fn path(self) -> PathBuf {
        Path::new(&self.collaboration.to_string()).join(self.owner.to_string())
    }
}

/// Why a path is not used. No text names the path: details of failures are events.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// It is absolute, or has a `.` or `..` part.
    #[error("the path is not a plain relative one")]
    NotPlain,
    /// It leads outside the data root, or a link lies on it or below it.
    #[error("the path leads outside the data root, or over a link")]
    Escapes,
    /// More than [`ENTRIES_MAX`] files, or deeper than [`DEPTH_MAX`].
    #[error("the folder has too many files, or is too deep")]
    TooLarge,
    /// It can't be read or made.
    #[error("the path can't be read or made: {}", .0.kind())]
    Unreadable(#[source] io::Error),
}

impl DataRoot {
    /// Takes an existing folder.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let real = folder.canonicalize()?;
        if real.is_dir() { Ok(Self(real)) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// The folder or file of an input, absolute, with no link on the way nor below it.
    ///
    /// # Errors
    ///
    /// [`PathError`].
    pub fn input(&self, home: Home, store: &Store) -> Result<PathBuf, PathError> {
        let path = self.below(home, store)?;
        self.check_real(&path)?;
        let mut left = ENTRIES_MAX;
        check_no_links(&path, 0, &mut left)?;
        Ok(path)
    }

    /// The folder of a run's result, absolute: `<store>/<name>`. Makes the store's folder, not it.
    ///
    /// # Errors
    ///
    /// [`PathError`].
    pub fn output(&self, home: Home, store: &Store, name: &str) -> Result<PathBuf, PathError> {
        let wanted = self.below(home, store)?;
        let relative = wanted.strip_prefix(&self.0).map_err(|_| PathError::Escapes)?;
        let mut path = self.0.clone();
        for part in relative.components() {
            path.push(part);
            match fs::create_dir(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(PathError::Unreadable(error)),
            }
            // Before the next part is made, or a link would have it made outside.
            self.check_real(&path)?;
        }
        if !is_plain(Path::new(name)) || Path::new(name).components().count() != 1 {
            return Err(PathError::NotPlain);
        }
        Ok(path.join(name))
    }

    /// Whether `path` is a folder that [`DataRoot::output`] could have given, under `name`.
    pub fn is_output(&self, path: &Path, name: &str) -> bool {
        path.file_name().is_some_and(|last| last == name)
            && path.parent().is_some_and(|parent| self.check_real(parent).is_ok())
    }

    fn below(&self, home: Home, store: &Store) -> Result<PathBuf, PathError> {
        let Store::Local { path } = store;
        let path = Path::new(path);
        if is_plain(path) {
            Ok(self.0.join(home.path()).join(path))
        } else {
            Err(PathError::NotPlain)
        }
    }

    fn check_real(&self, path: &Path) -> Result<(), PathError> {
        let real = path.canonicalize().map_err(PathError::Unreadable)?;
        if real == path && real.starts_with(&self.0) { Ok(()) } else { Err(PathError::Escapes) }
    }
}

fn is_plain(path: &Path) -> bool {
    let mut parts = path.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Spark follows links, so there must be none.
fn check_no_links(path: &Path, depth: usize, left: &mut usize) -> Result<(), PathError> {
    let meta = fs::symlink_metadata(path).map_err(PathError::Unreadable)?;
    if meta.is_symlink() {
        return Err(PathError::Escapes);
    }
    if !meta.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(PathError::Unreadable)? {
        *left = left.checked_sub(1).ok_or(PathError::TooLarge)?;
        if depth == DEPTH_MAX {
            return Err(PathError::TooLarge);
        }
        check_no_links(&entry.map_err(PathError::Unreadable)?.path(), depth + 1, left)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn home(owner: u128) -> Home {
        Home {
            collaboration: CollaborationId::new(uuid::Uuid::from_u128(1)),
            owner: MemberId::new(uuid::Uuid::from_u128(owner)),
        }
    }

    fn local(path: &str) -> Store {
        Store::Local { path: path.into() }
    }

    #[test]
    fn inputs_stay_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let root = DataRoot::open(folder.path()).unwrap();
        let mine = folder.path().join(home(2).path());
        fs::create_dir_all(mine.join("a/b")).unwrap();
        fs::write(mine.join("a/b/part.csv"), "x").unwrap();
        let real = mine.canonicalize().unwrap();
        // The same path of another member is another folder.
        assert!(matches!(root.input(home(3), &local("a/b")), Err(PathError::Unreadable(_))));
        assert_eq!(root.input(home(2), &local("a/b")).unwrap(), real.join("a/b"));

        for bad in ["", "/etc", "../x", "a/../../x", "./a", "a/./b/.."] {
            let refused = root.input(home(2), &local(bad));
            assert!(matches!(refused, Err(PathError::NotPlain)), "{bad}: {refused:?}");
        }
        assert!(matches!(root.input(home(2), &local("none")), Err(PathError::Unreadable(_))));

        symlink(outside.path(), mine.join("link")).unwrap();
        assert!(matches!(root.input(home(2), &local("link")), Err(PathError::Escapes)));
        symlink("/etc/hostname", mine.join("a/b/more.csv")).unwrap();
        assert!(matches!(root.input(home(2), &local("a/b")), Err(PathError::Escapes)));
        assert!(matches!(root.input(home(2), &local("a")), Err(PathError::Escapes)));
    }

    #[test]
    fn outputs_are_made_below_the_root_only() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let root = DataRoot::open(folder.path()).unwrap();
        let path = root.output(home(2), &local("out/deep"), "run-1").unwrap();
        assert!(path.parent().unwrap().is_dir() && !path.exists());
        assert!(root.is_output(&path, "run-1"));
        assert!(!root.is_output(&path, "run-2"));
        assert!(!root.is_output(&outside.path().join("run-1"), "run-1"));
        assert!(matches!(root.output(home(2), &local("out"), ".."), Err(PathError::NotPlain)));
        assert!(matches!(root.output(home(2), &local("out"), "a/b"), Err(PathError::NotPlain)));

        symlink(outside.path(), folder.path().join(home(2).path()).join("link")).unwrap();
        assert!(matches!(
            root.output(home(2), &local("link/deep"), "run-1"),
            Err(PathError::Escapes)
        ));
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
