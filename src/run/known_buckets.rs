//! What the database confirmed of each series' live days, in memory, from tick to tick and across reloads.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::live_buckets::LiveBuckets;
use crate::domain::series::SeriesKey;
use crate::domain::target::Target;

/// By series, and by where its points go.
#[derive(Debug, Default)]
pub struct KnownBuckets(Mutex<HashMap<SeriesKey, (Target, LiveBuckets)>>);

impl KnownBuckets {
    /// What is known of a series at this target. Until it is [put](KnownBuckets::put) back nothing is: a task that ends
    /// by a bug leaves nothing behind that may be wrong.
    pub(super) fn take(&self, key: &SeriesKey, target: &Target) -> LiveBuckets {
        let known = self.lock().remove(key).filter(|(known, _)| known == target);
        known.map(|(_, stored)| stored).unwrap_or_default()
    }

    /// What is known of it now.
    pub(super) fn put(&self, key: SeriesKey, target: Target, stored: LiveBuckets) {
        self.lock().insert(key, (target, stored));
    }

    /// Forgets series that are not exported any more.
    pub fn keep_only(&self, is_exported: impl Fn(&SeriesKey) -> bool) {
        self.lock().retain(|key, _| is_exported(key));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SeriesKey, (Target, LiveBuckets)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
