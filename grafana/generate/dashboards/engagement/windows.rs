//! Which points a query asks for: the stretches of time and the measurements, in both languages.
//!
//! A stretch never holds its end, in neither language: a range that ends on the hour has the same hours in both.

/// A stretch of time to ask for, from the panel's range.
#[derive(Clone, Copy)]
pub(crate) enum Window {
    /// The range itself.
    Range,
    /// Of the range the last 30 days.
    EndOfRange,
    /// Seven times 24 hours earlier, without the hours of which the range cannot have the figures yet: an hour is known 70
    /// minutes after it began, when it is over and the tick at ten past has brought it.
    WeekEarlier,
    /// The same with another hour at both ends, for the clock may have been changed in between: who asks sorts out by
    /// weekday and hour.
    AroundWeekEarlier,
    /// The 30 days that end with the range.
    Month,
}

impl Window {
    pub(crate) fn influxql(self) -> &'static str {
        match self {
            Window::Range => "time >= ${__from}ms AND time < ${__to}ms",
            Window::EndOfRange => "time >= ${__from}ms AND time >= ${__to}ms - 30d AND time < ${__to}ms",
            Window::WeekEarlier => "time >= ${__from}ms - 7d AND time < ${__to}ms - 7d - 70m",
            Window::AroundWeekEarlier => "time >= ${__from}ms - 7d - 1h AND time < ${__to}ms - 7d + 1h",
            Window::Month => "time >= ${__to}ms - 30d AND time < ${__to}ms",
        }
    }

    /// The same for a query over a query: without it InfluxDB opens every shard that there is, which for 400 days takes ten
    /// times as long. A day earlier, for a bucket bears its beginning, which may lie before the range.
    pub(crate) fn outside(self) -> &'static str {
        match self {
            Window::Range => "time >= ${__from}ms - 1d AND time < ${__to}ms",
            Window::EndOfRange => "time >= ${__from}ms - 1d AND time >= ${__to}ms - 31d AND time < ${__to}ms",
            Window::WeekEarlier => "time >= ${__from}ms - 8d AND time < ${__to}ms - 7d",
            Window::AroundWeekEarlier => "time >= ${__from}ms - 9d AND time < ${__to}ms - 7d + 1h",
            Window::Month => "time >= ${__to}ms - 31d AND time < ${__to}ms",
        }
    }

    pub(crate) fn flux(self) -> &'static str {
        match self {
            Window::Range => "start: v.timeRangeStart, stop: v.timeRangeStop",
            Window::EndOfRange => {
                "start: if begin > v.timeRangeStart then begin else v.timeRangeStart, stop: v.timeRangeStop"
            }
            // Flux refuses an empty range, which this would be until 70 minutes after midnight if it began with the day.
            Window::WeekEarlier => {
                "start: date.sub(d: 169h10m, from: v.timeRangeStart), stop: date.sub(d: 169h10m, from: v.timeRangeStop)"
            }
            Window::AroundWeekEarlier => {
                "start: date.sub(d: 169h, from: v.timeRangeStart), stop: date.sub(d: 167h, from: v.timeRangeStop)"
            }
            Window::Month => "start: date.sub(d: 30d, from: v.timeRangeStop), stop: v.timeRangeStop",
        }
    }

    /// What comes before a query in Flux, and what drops the hours of which its range holds too many.
    fn around_flux(self) -> (&'static str, &'static str) {
        match self {
            Window::Range => ("", ""),
            Window::EndOfRange => ("import \"date\"\n\nbegin = date.sub(d: 30d, from: v.timeRangeStop)\n\n", ""),
            Window::WeekEarlier => (
                "import \"date\"\n\nbegin = date.sub(d: 7d, from: v.timeRangeStart)\n\n",
                "\n  |> filter(fn: (r) => r._time >= begin)",
            ),
            Window::AroundWeekEarlier | Window::Month => ("import \"date\"\n\n", ""),
        }
    }
}

/// One of the two measurements.
#[derive(Clone, Copy)]
pub(crate) enum Measurement {
    Hourly,
    Daily,
}

impl Measurement {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Measurement::Hourly => "user_engagement_hourly",
            Measurement::Daily => "user_engagement_daily",
        }
    }

    /// In Flux: adds up what falls into a bucket.
    pub(crate) fn sums(self) -> &'static str {
        match self {
            Measurement::Hourly => "aggregateWindow(every: 15m, fn: sum, createEmpty: false, timeSrc: \"_start\")",
            Measurement::Daily => {
                "aggregateWindow(every: 1d, offset: 11h, fn: sum, createEmpty: false, timeSrc: \"_start\")"
            }
        }
    }

    /// The buckets that the figures of one hour or one day fall into. That of days reaches from 11:00 in UTC to the
    /// next, so that the midnights of one date are together in it from Hawaii to New Zealand.
    pub(crate) fn buckets(self) -> &'static str {
        match self {
            Measurement::Hourly => "time(15m)",
            Measurement::Daily => "time(1d, 11h)",
        }
    }
}

/// Which points: the conditions of a query in InfluxQL.
pub(crate) fn chosen(window: Window) -> String {
    format!("\"bot\" =~ /^${{bot:regex}}$/ AND \"channel\" =~ /^${{channel:regex}}$/ AND {}", window.influxql())
}

/// Which points: the beginning of a query in Flux.
pub(crate) fn points(measurement: Measurement, window: Window) -> String {
    let (before, after) = window.around_flux();
    format!(
        "{before}from(bucket: v.defaultBucket)\n  |> range({})\n  \
         |> filter(fn: (r) => r._measurement == \"{}\" and r._field == \"users\")\n  \
         |> filter(fn: (r) => r.bot =~ /^${{bot:regex}}$/ and r.channel =~ /^${{channel:regex}}$/){after}",
        window.flux(),
        measurement.name()
    )
}
