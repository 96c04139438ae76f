//! Hands points to the writer.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::database::WriteFailure;
use crate::database::line_protocol::Encoder;
use crate::database::writer::{Parcel, WriteError, Written};
use crate::domain::point::Point;
use crate::domain::series::Series;

/// Waits until the points are confirmed.
///
/// # Errors
///
/// If they are not, or not all of them.
pub(super) async fn write(
    series: &Series,
    encoder: &Arc<Encoder>,
    points: Vec<Point>,
    writer: &mpsc::Sender<Parcel>,
) -> Result<Written, WriteError> {
    if points.is_empty() {
        return Ok(Written::default());
    }
    let (reply, told) = oneshot::channel();
    let parcel = Parcel { encoder: Arc::clone(encoder), points, reply };
    let gone = || WriteError::Failed(WriteFailure::Io("the writer has ended".to_owned()));
    writer.send(parcel).await.map_err(|_| gone())?;
    told.await.map_err(|_| gone())?
}
