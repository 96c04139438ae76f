//! The status page: one document for people, made anew for each request.

use crate::status::view::View;

/// The page.
pub fn render(view: &View) -> String {
    view.sentence()
}
