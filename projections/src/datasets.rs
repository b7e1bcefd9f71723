//! The datasets view: versions, schema, policy, marks.

use chancery_governance::event::DatasetPublished;
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Descriptor;
use crate::fold::{Illegal, Row, Rows, SUBJECT, actor};
use crate::marks::Mark;
use crate::mirror::document;
use crate::moment::Moment;
use crate::secrets::SecretView;

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatasetView {
    /// Its id.
    pub id: String,
    /// The id of the member who published it.
    pub owner: String,
    /// The owner's organisation.
    pub owner_organisation: String,
    /// The digest of the newest version.
    pub digest: String,
    /// The newest version: schema, store and policy.
    pub descriptor: Descriptor,
    /// All versions, oldest first.
    pub versions: Vec<PublishedVersion>,
    /// When it was taken out of use.
    pub retired: Option<Moment>,
    /// The secret of its newest version, where one is stored.
    pub secret: Option<SecretView>,
    /// Marks against its use.
    pub marks: Vec<Mark>,
    /// When it was first published.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Its version, for `If-Match`: the position of the last event about it.
    pub version: u64,
}

/// A version of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishedVersion {
    /// The digest of the descriptor: the version's identity.
    pub digest: String,
    /// What its owner says of it.
    pub descriptor: Descriptor,
    /// When it was published.
    pub published: Moment,
}

impl Row for DatasetView {
    const TABLE: &'static str = "datasets";

    fn id(&self) -> &str {
        &self.id
    }

    fn position(&self) -> u64 {
        self.created.position
    }

    fn touch(&mut self, at: Moment) {
        self.updated = at;
        self.version = at.position;
    }
}

/// A version is published: the first makes the dataset.
pub(crate) fn published(
    rows: &mut Rows,
    at: &Recorded,
    event: &DatasetPublished,
) -> Result<(), Illegal> {
    let Subject::Dataset(id) = at.subject else { return Err(SUBJECT) };
    let (id, owner, published) = (id.to_string(), actor(at)?, Moment::of(at));
    let digest = event.digest.to_string();
    let descriptor: Descriptor = document(&event.descriptor)?;
    let version =
        PublishedVersion { digest: digest.clone(), descriptor: descriptor.clone(), published };
    if !rows.datasets.has(&id) {
        return rows.datasets.insert(DatasetView {
            id,
            owner_organisation: rows.organisation(&owner)?,
            owner,
            digest,
            descriptor,
            versions: vec![version],
            retired: None,
            secret: None,
            marks: Vec::new(),
            created: published,
            updated: published,
            version: at.position,
        });
    }
    let dataset = rows.datasets.touch(&id, at)?;
    if dataset.owner != owner || dataset.retired.is_some() {
        return Err("the dataset is another's, or retired");
    }
    dataset.digest = digest;
    dataset.secret = None;
    dataset.descriptor = descriptor;
    dataset.versions.push(version);
    Ok(())
}

/// No query can use the dataset any more.
pub(crate) fn retired(rows: &mut Rows, at: &Recorded) -> Result<(), Illegal> {
    let Subject::Dataset(id) = at.subject else { return Err(SUBJECT) };
    let dataset = rows.datasets.touch(&id.to_string(), at)?;
    dataset.secret = None;
    match dataset.retired.replace(Moment::of(at)) {
        None => Ok(()),
        Some(_) => Err("the dataset is retired"),
    }
}
