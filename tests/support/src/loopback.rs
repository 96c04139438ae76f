//! An address of this machine that nothing else uses: of the sixteen million that lead here, one by chance. A server on
//! it finds its port free again after a restart, for nobody's outgoing connections take theirs from it.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

/// Such an address.
pub fn address() -> Ipv4Addr {
    let chance = uuid::Uuid::new_v4().into_bytes();
    // Away from the low ones, which are known by name, and from those of systems' own name servers.
    Ipv4Addr::new(127, 64 | (chance[0] & 0x3f), chance[1], chance[2].clamp(1, 254))
}

/// A port that is free on it.
pub fn port(address: Ipv4Addr) -> u16 {
    TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port()
}

/// Such an address with a port that is free on it.
pub fn socket() -> SocketAddrV4 {
    let address = address();
    SocketAddrV4::new(address, port(address))
}
