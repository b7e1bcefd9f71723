//! chancery-projections
