//! Wire versions. A version is frozen by the vectors in `docs/wire/vectors`; a change is a new one.

pub mod v1;
