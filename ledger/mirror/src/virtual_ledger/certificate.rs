//! The stand-in's certificates: X.509 (RFC 5280), P-384, as CCF makes them, put together by hand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{DerSignature, SigningKey};

const SERVICE: &str = "INSECURE VIRTUAL CCF service";
const NODE: &str = "INSECURE VIRTUAL CCF node";
/// From 2020 to 2049: the last years that the short form of a time can say.
const FROM: &[u8] = b"200101000000Z";
const UNTIL: &[u8] = b"491231235959Z";

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const BOOLEAN_TRUE: &[u8] = &[0x01, 0x01, 0xff];
const VERSION_3: &[u8] = &[0xa0, 0x03, 0x02, 0x01, 0x02];
const EXTENSIONS: u8 = 0xa3;

const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// Signatures and certificates: bits 0 and 5, so two bits of the byte are unused.
const MAY_SIGN: &[u8] = &[BIT_STRING, 0x02, 0x02, 0x84];

/// The service's own, self-signed.
pub fn service_certificate(service: &SigningKey) -> Vec<u8> {
    certificate(1, SERVICE, service, service, true)
}

/// A node's, by the service.
pub fn node_certificate(node: &SigningKey, service: &SigningKey) -> Vec<u8> {
    certificate(2, NODE, node, service, false)
}

/// A certificate as PEM (RFC 7468).
pub fn pem(der: &[u8]) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let encoded = STANDARD.encode(der);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + "-----END CERTIFICATE-----\n"
}

fn certificate(
    serial: u8,
    subject: &str,
    key: &SigningKey,
    issuer: &SigningKey,
    authority: bool,
) -> Vec<u8> {
    let algorithm = tlv(SEQUENCE, &[tlv(OID, &[ECDSA_WITH_SHA384])]);
    let name = |name: &str| {
        let attribute = tlv(SEQUENCE, &[tlv(OID, &[COMMON_NAME]), tlv(UTF8, &[name.as_bytes()])]);
        tlv(SEQUENCE, &[tlv(SET, &[attribute])])
    };
    let constraints = tlv(SEQUENCE, if authority { &[BOOLEAN_TRUE][..] } else { &[] });
    let mut extensions = vec![extension(BASIC_CONSTRAINTS, &constraints)];
    if authority {
        extensions.push(extension(KEY_USAGE, MAY_SIGN));
    }
    let body = tlv(
        SEQUENCE,
        &[
            VERSION_3.to_vec(),
            tlv(INTEGER, &[[serial]]),
            algorithm.clone(),
            name(SERVICE),
            tlv(SEQUENCE, &[tlv(UTC_TIME, &[FROM]), tlv(UTC_TIME, &[UNTIL])]),
            name(subject),
            spki(key),
            tlv(EXTENSIONS, &[tlv(SEQUENCE, &extensions)]),
        ],
    );
    let signature: DerSignature = issuer.sign(&body);
    let signature = tlv(BIT_STRING, &[&[0][..], signature.as_bytes()]);
    tlv(SEQUENCE, &[body, algorithm, signature])
}

fn spki(key: &SigningKey) -> Vec<u8> {
    let point = key.verifying_key().to_encoded_point(false);
    let algorithm = tlv(SEQUENCE, &[tlv(OID, &[EC_PUBLIC_KEY]), tlv(OID, &[SECP384R1])]);
    tlv(SEQUENCE, &[algorithm, tlv(BIT_STRING, &[&[0][..], point.as_bytes()])])
}

fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    let value = tlv(OCTET_STRING, &[value]);
    tlv(SEQUENCE, &[tlv(OID, &[id]), BOOLEAN_TRUE.to_vec(), value])
}

/// A DER item around the parts, its length in the shortest form.
fn tlv<T: AsRef<[u8]>>(tag: u8, parts: &[T]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.as_ref().len()).sum();
    let mut out = vec![tag];
    let bytes = len.to_be_bytes();
    if len < 0x80 {
        out.extend(bytes.last());
    } else {
        let short = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        out.extend(short.len().to_be_bytes().last().map(|count| 0x80 | count));
        out.extend(short);
    }
    for part in parts {
        out.extend(part.as_ref());
    }
    out
}
