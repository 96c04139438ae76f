//! The status page: one document for people, made anew for each request.

use crate::status::view::View;

/// The page.
pub fn render(view: &View, _only_bot: Option<&str>) -> String {
    view.sentence()
}
