//! What outlives the process: the watermarks, and how far a backfill has come. Knows files and [`domain`](crate::domain);
//! it never asks a service.

pub mod atomic;
pub mod backfill;
pub mod watermarks;
