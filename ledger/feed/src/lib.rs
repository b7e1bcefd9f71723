//! chancery-feed
