//! chancery-attestation
