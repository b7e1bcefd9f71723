//! chancery-commands
