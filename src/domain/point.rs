//! A point: the users of one bucket, where it belongs on the time line, and what its tags may be.

/// Tag keys with a meaning of their own: the exporter's tags, the fields, and what the database keeps for itself.
pub const RESERVED_TAGS: [&str; 9] =
    ["bot", "bot_id", "channel", "time", "_measurement", "_field", "users", "new_users", "returning_users"];

/// The users of one bucket. At least one figure is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Unique users.
    pub users: Option<i64>,
    /// Users never seen before; only the v2 API tells.
    pub new_users: Option<i64>,
    /// Users seen before; only the v2 API tells.
    pub returning_users: Option<i64>,
}

impl Figures {
    /// The figures that are there, by the name of their field.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let fields = [("users", self.users), ("new_users", self.new_users), ("returning_users", self.returning_users)];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// Whether every figure that is there is zero.
    pub fn are_zero(&self) -> bool {
        self.fields().all(|(_, value)| value == 0)
    }
}

/// One bucket of a series, where it belongs on the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The bucket's first instant, in Unix seconds.
    pub timestamp: i64,
    /// What was counted.
    pub figures: Figures,
}

/// Why a text cannot be a tag's key or value, if it cannot.
pub fn tag_problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("a tag must not be empty")
    } else if text.chars().any(char::is_control) {
        Some("a tag must not hold a control character")
    } else if text.ends_with('\\') {
        Some("a tag must not end in a backslash")
    } else if ["\\,", "\\=", "\\ ", "\\\\"].iter().any(|pair| text.contains(pair)) {
        Some("InfluxDB cannot hold a backslash before a comma, an equals sign, a space or another backslash")
    } else {
        None
    }
}
