//! The audit bundle of a whole log, for any member.
