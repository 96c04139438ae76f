//! What can be seen without a server.
