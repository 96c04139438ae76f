//! What people and machines see of the running program: logs, metrics, the status page and the HTTP endpoint. It is told
//! what happened and never decides what happens next.

pub mod console;
pub mod endpoint;
mod journal;
pub mod liveness;
pub mod logging;
pub mod metrics;
pub mod panics;
pub mod redact;
pub mod status;
