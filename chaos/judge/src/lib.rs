//! The judge of a history.
