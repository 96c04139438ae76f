//! What outlives the process: the watermarks, how far a backfill has come, and the traces of who writes beside. Knows
//! files and [`domain`](crate::domain); it never asks a service.

pub mod atomic;
pub mod backfill;
pub mod beside;
pub mod watermarks;
