//! Whether the token may write to the bucket, asked in a way that creates nothing.

use super::InfluxDbReader;
use super::generation::Generation;
use super::gzip::Packer;
use crate::database::WriteFailure;
use crate::database::wordings::Meaning;

/// What is known of the right to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The token may write to the bucket, which exists.
    Granted,
    /// The token is accepted and the database exists.
    Accepted,
    /// The token is accepted; the first write creates the database.
    WillBeCreated,
    /// The database does not tell.
    Unknown(String),
}

impl InfluxDbReader {
    /// A comment is no point, and is refused where a point would be; but any write creates a database of InfluxDB 3, so
    /// that one is asked for the databases it has.
    ///
    /// # Errors
    ///
    /// If the database refuses the token, the bucket or the organization, or does not answer.
    pub async fn access(&self) -> Result<Access, WriteFailure> {
        if self.generation() == Generation::Three {
            return self.databases().await;
        }
        const QUESTION: &[u8] = b"# no point, only a question\n";
        let body = self.sink.pack(std::iter::once(QUESTION.to_vec()), &mut Packer::default())?;
        match self.sink.write(body).await {
            Ok(()) => Ok(Access::Granted),
            // The database says that there is no point in it, after it looked at the token.
            Err(WriteFailure::Refused(refusal)) if matches!(refusal.meaning, Meaning::Empty | Meaning::Lines(_)) => {
                Ok(Access::Granted)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn databases(&self) -> Result<Access, WriteFailure> {
        let tables = match self.influxql_with(&self.sink.database.token, "SHOW DATABASES").await {
            Ok(tables) => tables,
            Err(WriteFailure::Refused(refusal)) if refusal.status != 401 => {
                return Ok(Access::Unknown(format!("the database answered {}: {:?}", refusal.status, refusal.message)));
            }
            Err(WriteFailure::Unread(words, _)) => return Ok(Access::Unknown(words)),
            Err(failure) => return Err(failure),
        };
        let mut names = tables.iter().flat_map(|table| &table.values).flatten().filter_map(|cell| cell.as_str());
        Ok(if names.any(|name| name == self.sink.database.bucket) { Access::Accepted } else { Access::WillBeCreated })
    }
}
