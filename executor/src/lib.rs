//! chancery-executor
