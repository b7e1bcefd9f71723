//! Wire version 1 of entries and signed commands: `docs/wire/v1.cddl`.

use uuid::Uuid;

use crate::codec::{self, Slices, Writer};
use crate::command::{ParseError, SignedCommand};
use crate::digest::Digest;
use crate::entry::{Actor, Authority, Entry, OpenError, SignedContent, Witness};
use crate::id::{CollaborationId, CommandId, MemberId};

/// The version number inside entries and commands.
pub const VERSION: u64 = 1;

const ACTOR_MEMBER: u64 = 0;
const ACTOR_EXECUTOR: u64 = 1;
const ACTOR_SERVICE: u64 = 2;

const AUTHORITY_MEMBER_SIGNED: u64 = 0;
const AUTHORITY_SERVICE_WITNESSED: u64 = 1;
const AUTHORITY_EXECUTOR_SIGNED: u64 = 2;
const AUTHORITY_CONSEQUENCE: u64 = 3;
const AUTHORITY_SERVICE_SIGNED: u64 = 4;

/// Bytes to set aside for an entry beside its authority's longer parts, or for a command.
const ROOM: usize = 512;

/// The canonical bytes of an entry, to be sealed.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let mut out = Writer::after(&[], 2 * entry.authority.carried_len() + ROOM);
    out.map(11);
    out.uint(1);
    out.uint(VERSION);
    out.uint(2);
    out.text(&entry.kind);
    out.uint(3);
    out.bytes(entry.collaboration.as_bytes());
    out.uint(4);
    out.uint(entry.position);
    out.uint(5);
    match entry.previous {
        Some(digest) => out.bytes(digest.as_bytes()),
        None => out.null(),
    }
    out.uint(6);
    out.text(&entry.subject);
    out.uint(7);
    write_actor(entry.actor, &mut out);
    out.uint(8);
    out.bytes(entry.command.as_bytes());
    out.uint(9);
    out.uint(entry.time_ms);
    out.uint(10);
    out.value(&entry.payload);
    out.uint(11);
    write_authority(&entry.authority, &mut out);
    out.finish()
}

/// Reads the bytes of an entry.
///
/// # Errors
///
/// [`OpenError::Cbor`] and [`OpenError::Wire`].
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, OpenError> {
    let entry = read_entry(bytes).map_err(|Unexpected(what)| match codec::decode(bytes) {
        Err(error) => OpenError::Cbor(error),
        Ok(_) => OpenError::Wire(what),
    })?;
    if entry.previous.is_none() != (entry.position == 0) {
        return Err(OpenError::Wire("previous leaf hash and position disagree"));
    }
    Ok(entry)
}

fn read_entry(bytes: &[u8]) -> Result<Entry, Unexpected> {
    let mut items = Slices::of(bytes).ok_or(NOT_A_MAP)?;
    let mut fields = Fields::of_version(&mut items)?;
    let entry = Entry {
        kind: fields.text(2)?,
        collaboration: CollaborationId::new(fields.uuid(3)?),
        position: fields.uint(4)?,
        previous: fields.optional(5, |it| Digest::from_slice(it.bytes()?), "previous")?,
        subject: fields.text(6)?,
        actor: fields.with(7, read_actor, "actor")?,
        command: CommandId::new(fields.uuid(8)?),
        time_ms: fields.uint(9)?,
        // It stands in the entry's map.
        payload: fields.with(10, |it| it.value(1), "payload")?,
        authority: fields.with(11, read_authority, "authority")?,
    };
    fields.end()?;
    if items.rest().is_empty() { Ok(entry) } else { Err(UNKNOWN) }
}

fn write_actor(actor: Actor, out: &mut Writer) {
    out.array(2);
    match actor {
        Actor::Member(id) => {
            out.uint(ACTOR_MEMBER);
            out.bytes(id.as_bytes());
        }
        Actor::Executor(key) => {
            out.uint(ACTOR_EXECUTOR);
            out.bytes(key.as_bytes());
        }
        Actor::Service(key) => {
            out.uint(ACTOR_SERVICE);
            out.bytes(key.as_bytes());
        }
    }
}

fn read_actor(item: &mut Slices<'_>) -> Option<Actor> {
    if item.array()? != 2 {
        return None;
    }
    let (kind, id) = (item.uint()?, item.bytes()?);
    match kind {
        ACTOR_MEMBER => Uuid::from_slice(id).ok().map(|uuid| Actor::Member(MemberId::new(uuid))),
        ACTOR_EXECUTOR => Digest::from_slice(id).map(Actor::Executor),
        ACTOR_SERVICE => Digest::from_slice(id).map(Actor::Service),
        _ => None,
    }
}

fn write_authority(authority: &Authority, out: &mut Writer) {
    let mut signed = |kind: u64, signed: &SignedContent| {
        out.array(3);
        out.uint(kind);
        out.bytes(&signed.message);
        out.bytes(&signed.content);
    };
    match authority {
        Authority::MemberSigned(content) => signed(AUTHORITY_MEMBER_SIGNED, content),
        Authority::ExecutorSigned(content) => signed(AUTHORITY_EXECUTOR_SIGNED, content),
        Authority::ServiceSigned(content) => signed(AUTHORITY_SERVICE_SIGNED, content),
        Authority::Consequence(of) => {
            out.array(2);
            out.uint(AUTHORITY_CONSEQUENCE);
            out.uint(*of);
        }
        Authority::ServiceWitnessed(witness) => {
            out.array(2);
            out.uint(AUTHORITY_SERVICE_WITNESSED);
            write_witness(witness, out);
        }
    }
}

fn write_witness(witness: &Witness, out: &mut Writer) {
    out.map(8);
    out.uint(1);
    out.bytes(witness.token.as_bytes());
    out.uint(2);
    out.text(&witness.issuer);
    out.uint(3);
    match &witness.tenant {
        Some(tenant) => out.text(tenant),
        None => out.null(),
    }
    out.uint(4);
    out.text(&witness.subject);
    out.uint(5);
    out.text(&witness.key_id);
    out.uint(6);
    out.text(&witness.action);
    out.uint(7);
    write_version(witness.expected_version, out);
    out.uint(8);
    out.bytes(&witness.content);
}

fn write_version(version: Option<u64>, out: &mut Writer) {
    match version {
        Some(version) => out.uint(version),
        None => out.null(),
    }
}

fn read_authority(item: &mut Slices<'_>) -> Option<Authority> {
    let (len, kind) = (item.array()?, item.uint()?);
    let mut signed = || {
        let (message, content) = (item.bytes()?.to_vec(), item.bytes()?.to_vec());
        Some(SignedContent { message, content })
    };
    match (kind, len) {
        (AUTHORITY_MEMBER_SIGNED, 3) => signed().map(Authority::MemberSigned),
        (AUTHORITY_EXECUTOR_SIGNED, 3) => signed().map(Authority::ExecutorSigned),
        (AUTHORITY_SERVICE_SIGNED, 3) => signed().map(Authority::ServiceSigned),
        (AUTHORITY_CONSEQUENCE, 2) => item.uint().map(Authority::Consequence),
        (AUTHORITY_SERVICE_WITNESSED, 2) => {
            read_witness(item).ok().map(Authority::ServiceWitnessed)
        }
        _ => None,
    }
}

fn read_witness(item: &mut Slices<'_>) -> Result<Witness, Unexpected> {
    let mut fields = Fields::next(item)?;
    let witness = Witness {
        token: fields.digest(1)?,
        issuer: fields.text(2)?,
        tenant: fields.optional(3, |it| it.text().map(ToOwned::to_owned), "tenant")?,
        subject: fields.text(4)?,
        key_id: fields.text(5)?,
        action: fields.text(6)?,
        expected_version: fields.optional_uint(7)?,
        content: fields.with(8, Slices::bytes, "content")?.to_vec(),
    };
    fields.end()?;
    Ok(witness)
}

/// The canonical bytes of a command, to be signed.
pub fn encode_command(command: &SignedCommand) -> Vec<u8> {
    let mut out = Writer::after(&[], ROOM);
    out.map(9);
    out.uint(1);
    out.uint(VERSION);
    out.uint(2);
    out.bytes(command.audience.as_bytes());
    out.uint(3);
    out.bytes(command.collaboration.as_bytes());
    out.uint(4);
    out.text(&command.action);
    out.uint(5);
    out.text(&command.subject);
    out.uint(6);
    out.bytes(command.content.as_bytes());
    out.uint(7);
    write_version(command.expected_version, &mut out);
    out.uint(8);
    out.bytes(command.command.as_bytes());
    out.uint(9);
    out.uint(command.expires_ms);
    out.finish()
}

/// Reads the bytes of a command.
///
/// # Errors
///
/// [`ParseError::Cbor`] and [`ParseError::Wire`].
pub fn decode_command(bytes: &[u8]) -> Result<SignedCommand, ParseError> {
    read_command(bytes).map_err(|Unexpected(what)| match codec::decode(bytes) {
        Err(error) => ParseError::Cbor(error),
        Ok(_) => ParseError::Wire(what),
    })
}

fn read_command(bytes: &[u8]) -> Result<SignedCommand, Unexpected> {
    let mut items = Slices::of(bytes).ok_or(NOT_A_MAP)?;
    let mut fields = Fields::of_version(&mut items)?;
    let command = SignedCommand {
        audience: fields.digest(2)?,
        collaboration: CollaborationId::new(fields.uuid(3)?),
        action: fields.text(4)?,
        subject: fields.text(5)?,
        content: fields.digest(6)?,
        expected_version: fields.optional_uint(7)?,
        command: CommandId::new(fields.uuid(8)?),
        expires_ms: fields.uint(9)?,
    };
    fields.end()?;
    if items.rest().is_empty() { Ok(command) } else { Err(UNKNOWN) }
}

/// A field that is missing or of another type; or the bytes are not canonical, which
/// [`codec::decode`] says.
#[derive(Debug)]
struct Unexpected(&'static str);

const NOT_UNSIGNED: &str = "not an unsigned integer";
const NOT_A_MAP: Unexpected = Unexpected("not a map");
const MISSING: Unexpected = Unexpected("a field is missing");
const UNKNOWN: Unexpected = Unexpected("an unknown field");

/// The fields of an integer-keyed map, read in place one by one; none may be left.
struct Fields<'a, 'b> {
    items: &'b mut Slices<'a>,
    left: u64,
}

impl<'a, 'b> Fields<'a, 'b> {
    /// Those of the map that is next.
    fn next(items: &'b mut Slices<'a>) -> Result<Self, Unexpected> {
        let left = items.map().ok_or(NOT_A_MAP)?;
        Ok(Self { items, left })
    }

    /// Those of the map that is next, whose field 1 must be [`VERSION`].
    fn of_version(items: &'b mut Slices<'a>) -> Result<Self, Unexpected> {
        let mut fields = Self::next(items)?;
        if fields.uint(1)? == VERSION { Ok(fields) } else { Err(Unexpected("version")) }
    }

    /// The value of the next field, which must be `label`.
    fn value(&mut self, label: u64) -> Result<&mut Slices<'a>, Unexpected> {
        self.left = self.left.checked_sub(1).ok_or(MISSING)?;
        match self.items.uint() {
            Some(key) if key == label => Ok(self.items),
            Some(key) if key < label => Err(UNKNOWN),
            _ => Err(MISSING),
        }
    }

    fn with<T>(
        &mut self,
        label: u64,
        read: impl FnOnce(&mut Slices<'a>) -> Option<T>,
        what: &'static str,
    ) -> Result<T, Unexpected> {
        read(self.value(label)?).ok_or(Unexpected(what))
    }

    fn optional<T>(
        &mut self,
        label: u64,
        read: impl FnOnce(&mut Slices<'a>) -> Option<T>,
        what: &'static str,
    ) -> Result<Option<T>, Unexpected> {
        let value = self.value(label)?;
        if value.null() { Ok(None) } else { read(value).map(Some).ok_or(Unexpected(what)) }
    }

    fn uint(&mut self, label: u64) -> Result<u64, Unexpected> {
        self.with(label, Slices::uint, NOT_UNSIGNED)
    }

    fn optional_uint(&mut self, label: u64) -> Result<Option<u64>, Unexpected> {
        self.optional(label, Slices::uint, NOT_UNSIGNED)
    }

    fn text(&mut self, label: u64) -> Result<String, Unexpected> {
        self.with(label, |it| it.text().map(ToOwned::to_owned), "not a text")
    }

    fn uuid(&mut self, label: u64) -> Result<Uuid, Unexpected> {
        self.with(label, |it| Uuid::from_slice(it.bytes()?).ok(), "not 16 bytes")
    }

    fn digest(&mut self, label: u64) -> Result<Digest, Unexpected> {
        self.with(label, |it| Digest::from_slice(it.bytes()?), "not 32 bytes")
    }

    fn end(self) -> Result<(), Unexpected> {
        if self.left == 0 { Ok(()) } else { Err(UNKNOWN) }
    }
}
