//! The three people of the demo, and the executor. Their ids never change: logs hold them.

/// A person of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The `email`, by which `login_hint` chooses.
    pub email: &'static str,
    /// The `name`.
    pub name: &'static str,
    /// The organisation, for the page.
    pub organisation: &'static str,
    /// What they do in the demo, for the page.
    pub role: &'static str,
    /// The `tid`.
    pub tenant: &'static str,
    /// The `sub`.
    pub subject: &'static str,
}

/// Everyone who can sign in.
pub const PEOPLE: [Person; 3] = [
    Person {
        email: "olivia@litware.example",
        name: "Olivia Owens",
        organisation: "Litware",
        role: "Owner: creates the clean room and publishes a dataset",
        tenant: "6f1f7c1e-6c0a-4f57-9d5a-1b7b52a6c001",
        subject: "litware-olivia",
    },
    Person {
        email: "carlos@contosso.example",
        name: "Carlos Prieto",
        organisation: "Contosso",
        role: "Data provider: publishes a dataset and votes on queries",
        tenant: "c2a9d0b4-3f1e-4c7b-8a65-9e0d41f3c002",
        subject: "contosso-carlos",
    },
    Person {
        email: "fatima@fabrikam.example",
        name: "Fatima Nasser",
        organisation: "Fabrikam",
        role: "Analyst: writes queries and reads results",
        tenant: "1d84e5f7-92bb-4d0c-b3a1-7c5e60d2c003",
        subject: "fabrikam-fatima",
    },
];

/// The tenant of the platform itself.
pub const OPERATOR_TENANT: &str = "90b3a6d8-57c4-4e2f-a1f0-2d6c38e9c000";

/// The `sub` of the executor.
pub const EXECUTOR_SUBJECT: &str = "chancery-executor";

/// The person with this e-mail, case not counted.
pub(super) fn person(email: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.email.eq_ignore_ascii_case(email))
}
