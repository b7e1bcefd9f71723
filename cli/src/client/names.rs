//! From what people call things to their ids.

use crate::failure::{Failure, Result};

/// Names listed in an error.
const LISTED_MAX: usize = 10;

/// A kind of thing that has names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A collaboration.
    Collaboration,
    /// A dataset.
    Dataset,
    /// A query.
    Query,
    /// A member.
    Member,
    /// An invitation.
    Invitation,
    /// An auto-approval rule.
    Rule,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Collaboration => "collaboration",
            Self::Dataset => "dataset",
            Self::Query => "query",
            Self::Member => "member",
            Self::Invitation => "invitation",
            Self::Rule => "rule",
        }
    }

    const fn not_found(self) -> &'static str {
        match self {
            Self::Collaboration => "collaboration_not_found",
            Self::Dataset => "dataset_not_found",
            Self::Query => "query_not_found",
            Self::Member => "member_not_found",
            Self::Invitation => "invitation_not_found",
            Self::Rule => "rule_not_found",
        }
    }
}

/// Something with an id and a name.
pub trait Named {
    /// Its id.
    fn id(&self) -> &str;
    /// What people call it.
    fn name(&self) -> &str;
    /// Whether it is meant rather than another of its name: it is still in use.
    fn in_use(&self) -> bool {
        true
    }
}

/// The one thing that `wanted` names: by id, by name, or by name but for upper and lower case.
///
/// # Errors
///
/// Where there is none, or more than one.
pub fn pick<T: Named>(kind: Kind, items: Vec<T>, wanted: &str) -> Result<T> {
    let folded = wanted.to_lowercase();
    let grades: [&dyn Fn(&T) -> bool; 5] = [
        &|item| item.id() == wanted,
        &|item| item.name() == wanted && item.in_use(),
        &|item| item.name() == wanted,
        &|item| item.name().to_lowercase() == folded && item.in_use(),
        &|item| item.name().to_lowercase() == folded,
    ];
    for grade in grades {
        let matches: Vec<_> = items.iter().filter(|item| grade(item)).map(T::id).collect();
        match matches[..] {
            [] => {}
            [_] => {
                let found = items.into_iter().find(|item| grade(item));
                return found.ok_or_else(|| none::<T>(kind, &[], wanted));
            }
            _ => {
                let what = format!("More than one {} is called {wanted:?}", kind.word());
                return Err(Failure::usage("name_ambiguous", what, matches.join(", ")));
            }
        }
    }
    Err(none(kind, &items, wanted))
}

fn none<T: Named>(kind: Kind, items: &[T], wanted: &str) -> Failure {
    let known: Vec<_> =
        items.iter().take(LISTED_MAX).map(|item| format!("{:?}", item.name())).collect();
    let why = match known[..] {
        [] => "there are none".to_owned(),
        _ if items.len() > LISTED_MAX => format!("there are {}, and more", known.join(", ")),
        _ => format!("there are: {}", known.join(", ")),
    };
    Failure::refused(kind.not_found(), format!("There is no {} {wanted:?}", kind.word()), why)
}

macro_rules! named {
    ($($view:ident: $name:expr, $in_use:expr;)*) => {$(
        impl Named for super::views::$view {
            fn id(&self) -> &str {
                &self.id
            }
            fn name(&self) -> &str {
                let name: fn(&Self) -> &str = $name;
                name(self)
            }
            fn in_use(&self) -> bool {
                let in_use: fn(&Self) -> bool = $in_use;
                in_use(self)
            }
        }
    )*};
}

named! {
    Collaboration: |it| &it.name, |_| true;
    Dataset: |it| &it.descriptor.name, |it| it.retired.is_none();
    Query: |it| &it.definition.name, |it| it.stage != "withdrawn";
    Member: |it| &it.organisation, |it| it.removed.is_none();
    Rule: |it| &it.rule.name, |it| it.removed.is_none();
    Invitation: |it| &it.organisation, |it| it.stage == "pending";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    #[derive(Debug, PartialEq, Eq)]
    struct Thing(&'static str, &'static str, bool);

    impl Named for Thing {
        fn id(&self) -> &str {
            self.0
        }
        fn name(&self) -> &str {
            self.1
        }
        fn in_use(&self) -> bool {
            self.2
        }
    }

    fn things() -> Vec<Thing> {
        vec![
            Thing("1", "flights", false),
            Thing("2", "flights", true),
            Thing("3", "Planes", true),
            Thing("4", "twice", true),
            Thing("5", "twice", true),
            Thing("6", "3", true),
        ]
    }

    fn id(wanted: &str) -> Result<&'static str> {
        pick(Kind::Dataset, things(), wanted).map(|thing| thing.0)
    }

    #[test]
    fn ids_names_and_spellings_are_found() {
        assert_eq!(id("1").unwrap(), "1");
        assert_eq!(id("flights").unwrap(), "2", "the one in use");
        assert_eq!(id("planes").unwrap(), "3");
        assert_eq!(id("3").unwrap(), "3", "an id is meant before a name");
    }

    #[test]
    fn what_is_unclear_or_missing_is_said_with_the_choices() {
        let twice = id("twice").unwrap_err();
        assert_eq!((twice.code(), twice.exit()), ("name_ambiguous", Exit::Usage));
        assert!(twice.text().contains("4, 5"));
        let none = id("ships").unwrap_err();
        assert_eq!((none.code(), none.exit()), ("dataset_not_found", Exit::Refused));
        assert!(none.text().contains("\"Planes\""));
        let empty = pick(Kind::Query, Vec::<Thing>::new(), "x").unwrap_err();
        assert!(empty.text().contains("there are none"));
    }
}
