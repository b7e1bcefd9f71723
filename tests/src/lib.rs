//! chancery-tests
