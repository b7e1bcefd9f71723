//! Wire version 1 of entries and signed commands: `docs/wire/v1.cddl`.

use uuid::Uuid;

use crate::codec::{self, Key, Map, Value, Writer};
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
    let mut fields = Fields::of(codec::decode(bytes).map_err(OpenError::Cbor)?)?;
    fields.version(1)?;
    let entry = Entry {
        kind: fields.text(2)?,
        collaboration: CollaborationId::new(fields.uuid(3)?),
        position: fields.uint(4)?,
        previous: match fields.take(5)? {
            Value::Null => None,
            Value::Bytes(bytes) => Some(Digest::from_slice(&bytes).ok_or(Unexpected("previous"))?),
            _ => return Err(Unexpected("previous").into()),
        },
        subject: fields.text(6)?,
        actor: decode_actor(fields.take(7)?)?,
        command: CommandId::new(fields.uuid(8)?),
        time_ms: fields.uint(9)?,
        payload: fields.take(10)?,
        authority: decode_authority(fields.take(11)?)?,
    };
    fields.end()?;
    if entry.previous.is_none() != (entry.position == 0) {
        return Err(OpenError::Wire("previous leaf hash and position disagree"));
    }
    Ok(entry)
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

fn decode_actor(value: Value) -> Result<Actor, Unexpected> {
    let [kind, id] = parts(value, "actor")?;
    let Value::Bytes(id) = id else { return Err(Unexpected("actor")) };
    match uint(&kind) {
        Some(ACTOR_MEMBER) => {
            Uuid::from_slice(&id).map(|uuid| Actor::Member(MemberId::new(uuid))).ok()
        }
        Some(ACTOR_EXECUTOR) => Digest::from_slice(&id).map(Actor::Executor),
        Some(ACTOR_SERVICE) => Digest::from_slice(&id).map(Actor::Service),
        _ => None,
    }
    .ok_or(Unexpected("actor"))
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

fn decode_authority(value: Value) -> Result<Authority, Unexpected> {
    let Value::Array(parts) = value else { return Err(Unexpected("authority")) };
    let mut parts = parts.into_iter();
    let kind = parts.next().as_ref().and_then(uint);
    let authority = match (kind, parts.next(), parts.next()) {
        (
            Some(AUTHORITY_MEMBER_SIGNED),
            Some(Value::Bytes(message)),
            Some(Value::Bytes(content)),
        ) => Authority::MemberSigned(SignedContent { message, content }),
        (
            Some(AUTHORITY_EXECUTOR_SIGNED),
            Some(Value::Bytes(message)),
            Some(Value::Bytes(content)),
        ) => Authority::ExecutorSigned(SignedContent { message, content }),
        (
            Some(AUTHORITY_SERVICE_SIGNED),
            Some(Value::Bytes(message)),
            Some(Value::Bytes(content)),
        ) => Authority::ServiceSigned(SignedContent { message, content }),
        (Some(AUTHORITY_CONSEQUENCE), Some(of), None) => {
            Authority::Consequence(uint(&of).ok_or(Unexpected("authority"))?)
        }
        (Some(AUTHORITY_SERVICE_WITNESSED), Some(witness), None) => {
            let mut fields = Fields::of(witness)?;
            let witness = Witness {
                token: fields.digest(1)?,
                issuer: fields.text(2)?,
                tenant: match fields.take(3)? {
                    Value::Null => None,
                    Value::Text(tenant) => Some(tenant),
                    _ => return Err(Unexpected("tenant")),
                },
                subject: fields.text(4)?,
                key_id: fields.text(5)?,
                action: fields.text(6)?,
                expected_version: fields.optional_uint(7)?,
                content: fields.bytes(8)?,
            };
            fields.end()?;
            Authority::ServiceWitnessed(witness)
        }
        _ => return Err(Unexpected("authority")),
    };
    if parts.next().is_some() { Err(Unexpected("authority")) } else { Ok(authority) }
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
    let mut fields = Fields::of(codec::decode(bytes).map_err(ParseError::Cbor)?)?;
    fields.version(1)?;
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
    Ok(command)
}

/// A field that is missing or of another type.
#[derive(Debug)]
struct Unexpected(&'static str);

impl From<Unexpected> for OpenError {
    fn from(Unexpected(what): Unexpected) -> Self {
        Self::Wire(what)
    }
}

impl From<Unexpected> for ParseError {
    fn from(Unexpected(what): Unexpected) -> Self {
        Self::Wire(what)
    }
}

/// The fields of an integer-keyed map, taken one by one; none may be left.
struct Fields(Map);

impl Fields {
    fn of(value: Value) -> Result<Self, Unexpected> {
        if let Value::Map(map) = value { Ok(Self(map)) } else { Err(Unexpected("not a map")) }
    }

    fn take(&mut self, label: i64) -> Result<Value, Unexpected> {
        self.0.remove(&Key::from(label)).ok_or(Unexpected("a field is missing"))
    }

    fn version(&mut self, label: i64) -> Result<(), Unexpected> {
        if self.uint(label)? == VERSION { Ok(()) } else { Err(Unexpected("version")) }
    }

    fn uint(&mut self, label: i64) -> Result<u64, Unexpected> {
        uint(&self.take(label)?).ok_or(Unexpected("not an unsigned integer"))
    }

    fn optional_uint(&mut self, label: i64) -> Result<Option<u64>, Unexpected> {
        match self.take(label)? {
            Value::Null => Ok(None),
            number => uint(&number).map(Some).ok_or(Unexpected("not an unsigned integer")),
        }
    }

    fn text(&mut self, label: i64) -> Result<String, Unexpected> {
        if let Value::Text(text) = self.take(label)? {
            Ok(text)
        } else {
            Err(Unexpected("not a text"))
        }
    }

    fn bytes(&mut self, label: i64) -> Result<Vec<u8>, Unexpected> {
        if let Value::Bytes(bytes) = self.take(label)? {
            Ok(bytes)
        } else {
            Err(Unexpected("not a byte string"))
        }
    }

    fn uuid(&mut self, label: i64) -> Result<Uuid, Unexpected> {
        Uuid::from_slice(&self.bytes(label)?).map_err(|_| Unexpected("not 16 bytes"))
    }

    fn digest(&mut self, label: i64) -> Result<Digest, Unexpected> {
        Digest::from_slice(&self.bytes(label)?).ok_or(Unexpected("not 32 bytes"))
    }

    fn end(self) -> Result<(), Unexpected> {
        if self.0.is_empty() { Ok(()) } else { Err(Unexpected("an unknown field")) }
    }
}

fn uint(value: &Value) -> Option<u64> {
    if let Value::Int(number) = value { u64::try_from(*number).ok() } else { None }
}

fn parts<const N: usize>(value: Value, what: &'static str) -> Result<[Value; N], Unexpected> {
    if let Value::Array(parts) = value {
        parts.try_into().map_err(|_| Unexpected(what))
    } else {
        Err(Unexpected(what))
    }
}
