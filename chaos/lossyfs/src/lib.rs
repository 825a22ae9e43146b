//! A file system that loses what was not fsynced.
