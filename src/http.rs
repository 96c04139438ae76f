//! One TLS set-up and one trust store, the system's, for both services and the life of the process: reading the
//! certificates costs more than a thousand requests do.

use std::sync::OnceLock;

use native_tls::TlsConnector;

/// The connector that every client shares.
///
/// # Errors
///
/// Where the system's library cannot be set up.
pub fn connector() -> Result<TlsConnector, native_tls::Error> {
    static SHARED: OnceLock<TlsConnector> = OnceLock::new();
    if let Some(connector) = SHARED.get() {
        return Ok(connector.clone());
    }
    let connector = TlsConnector::new()?;
    Ok(SHARED.get_or_init(|| connector).clone())
}
