//! Bodies that come in pieces, break off, or never end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};

/// The length of a piece of a body in pieces.
pub(super) const PIECE: usize = 100;

/// A body whose length is not known before, and that may break off.
pub(super) struct Pieces {
    pub(super) rest: VecDeque<Bytes>,
    pub(super) cut_off: bool,
    pub(super) sent: bool,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        match self.rest.pop_front() {
            Some(bytes) => Poll::Ready(Some(Ok(http_body::Frame::data(bytes)))),
            None if !self.cut_off => Poll::Ready(None),
            // A pause in which the server sends what it has; an error at once would take it along.
            None if !self.sent => {
                self.sent = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(Some(Err(std::io::Error::other("cut off")))),
        }
    }
}

/// A body without an end, as fast as it is read.
pub(super) struct Endless(pub(super) Option<Bytes>);

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        static BLANKS: [u8; 64 << 10] = [b' '; 64 << 10];
        let bytes = self.0.take().filter(|first| !first.is_empty()).unwrap_or(Bytes::from_static(&BLANKS));
        Poll::Ready(Some(Ok(http_body::Frame::data(bytes))))
    }
}
