//! Certificates as CCF makes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Key;

/// Any time of these tests.
pub const FROM: &str = "260101000000Z";
pub const UNTIL: &str = "491231235959Z";
/// 2026-01-01 and 2049-12-31 23:59:59.
pub const FROM_S: u64 = 1_767_225_600;
pub const UNTIL_S: u64 = 2_524_607_999;

const ECDSA_WITH_SHA384: &[u8] =
    &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];

/// What to put into a certificate.
#[derive(Clone)]
pub struct Template<'a> {
    pub subject: &'a str,
    pub issuer: &'a str,
    pub key: &'a Key,
    pub signer: &'a Key,
    pub authority: bool,
    pub from: &'a str,
    pub until: &'a str,
}

impl<'a> Template<'a> {
    /// A service's own certificate.
    pub fn service(key: &'a Key) -> Self {
        let name = "CCF Service";
        Self {
            subject: name,
            issuer: name,
            key,
            signer: key,
            authority: true,
            from: FROM,
            until: UNTIL,
        }
    }

    /// A node's, by its service.
    pub fn node(key: &'a Key, service: &'a Key) -> Self {
        Self {
            subject: "CCF Node",
            key,
            signer: service,
            authority: false,
            ..Self::service(service)
        }
    }

    pub fn der(&self) -> Vec<u8> {
        let name = |name: &str| {
            let attribute =
                [&[0x06, 0x03, 0x55, 0x04, 0x03][..], &tlv(0x0c, name.as_bytes())].concat();
            tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)))
        };
        let validity = [tlv(0x17, self.from.as_bytes()), tlv(0x17, self.until.as_bytes())].concat();
        let constraints: &[u8] = if self.authority { &[0x01, 0x01, 0xff] } else { &[] };
        let mut extensions = extension(&[0x55, 0x1d, 0x13], &tlv(0x30, constraints));
        if self.authority {
            extensions.extend(extension(&[0x55, 0x1d, 0x0f], &[0x03, 0x02, 0x02, 0x84]));
        }
        let body = [
            tlv(0xa0, &[0x02, 0x01, 0x02]),
            tlv(
                0x02,
                &self.key.id().as_bytes()[..8].iter().map(|it| it & 0x7f | 1).collect::<Vec<_>>(),
            ),
            ECDSA_WITH_SHA384.to_vec(),
            name(self.issuer),
            tlv(0x30, &validity),
            name(self.subject),
            self.key.spki(),
            tlv(0xa3, &tlv(0x30, &extensions)),
        ]
        .concat();
        let body = tlv(0x30, &body);
        let signature = [&[0], &self.signer.sign_der(&body)[..]].concat();
        tlv(0x30, &[body, ECDSA_WITH_SHA384.to_vec(), tlv(0x03, &signature)].concat())
    }

    pub fn pem(&self) -> String {
        pem(&self.der())
    }
}

pub fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[tlv(0x06, id), tlv(0x01, &[0xff]), tlv(0x04, value)].concat())
}

pub fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let len = value.len();
    let mut out = vec![tag];
    match u8::try_from(len) {
        Ok(len @ ..0x80) => out.push(len),
        Ok(len) => out.extend([0x81, len]),
        Err(_) => {
            out.push(0x82);
            out.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    out.extend_from_slice(value);
    out
}
