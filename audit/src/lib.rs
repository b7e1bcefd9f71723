//! chancery-audit
