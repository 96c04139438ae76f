//! What the database confirmed of each series' live days, in memory, from tick to tick and across reloads.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::domain::live_buckets::LiveBuckets;
use crate::domain::series::SeriesKey;
use crate::domain::target::Target;
use crate::state::beside::Beside;

/// By series, with where its points went and who wrote there beside.
#[derive(Debug, Default)]
pub struct KnownBuckets(Mutex<HashMap<SeriesKey, (Target, Beside, LiveBuckets)>>);

impl KnownBuckets {
    /// What is known of a series at this target, unless somebody else may have written since. Until it is
    /// [put](KnownBuckets::put) back nothing is: a task that ends by a bug leaves nothing behind that may be wrong.
    pub(super) fn take(&self, key: &SeriesKey, target: &Target, beside: Beside) -> LiveBuckets {
        let known = self.0.lock().remove(key);
        let known = known.filter(|(known, before, _)| known == target && before.is_undisturbed(beside));
        known.map(|(.., stored)| stored).unwrap_or_default()
    }

    /// What is known of it now; others were seen to write or not when that began.
    pub(super) fn put(&self, key: SeriesKey, target: Target, beside: Beside, stored: LiveBuckets) {
        self.0.lock().insert(key, (target, beside, stored));
    }

    /// Forgets series that are not exported any more.
    pub fn keep_only(&self, is_exported: impl Fn(&SeriesKey) -> bool) {
        self.0.lock().retain(|key, _| is_exported(key));
    }
}
