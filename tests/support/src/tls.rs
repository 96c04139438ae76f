//! TLS before the simulated platform, as the real one has it.

use std::path::Path;

use axum::serve::Listener;
use native_tls::{Identity, TlsAcceptor};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};
use tokio::net::{TcpListener, TcpStream};
use tokio_native_tls::TlsStream;

/// The folder with the certificate, for `SSL_CERT_DIR`: the system's are read as well, as at any start.
pub const CERTIFICATES: &str = "certificates";

/// A key and the certificate for it.
pub struct Front(TlsAcceptor);

/// Hands out connections whose handshake is done.
pub struct TlsListener {
    listener: TcpListener,
    acceptor: tokio_native_tls::TlsAcceptor,
}

impl Front {
    /// Leaves [`CERTIFICATES`] in the folder.
    pub fn new(folder: &Path) -> Front {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_nid(Nid::COMMONNAME, "a simulated platform").unwrap();
        let name = name.build();
        let mut certificate = X509::builder().unwrap();
        certificate.set_version(2).unwrap();
        certificate.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
        certificate.set_subject_name(&name).unwrap();
        certificate.set_issuer_name(&name).unwrap();
        certificate.set_pubkey(&key).unwrap();
        certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
        let mut address = SubjectAlternativeName::new();
        let address = address.ip("127.0.0.1").dns("platform.test").build(&certificate.x509v3_context(None, None));
        certificate.append_extension(address.unwrap()).unwrap();
        certificate.append_extension(BasicConstraints::new().ca().build().unwrap()).unwrap();
        certificate.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = certificate.build();
        let file = folder.join(CERTIFICATES).join(format!("{:08x}.0", certificate.subject_name_hash()));
        let certificate = certificate.to_pem().unwrap();

        std::fs::create_dir(folder.join(CERTIFICATES)).unwrap();
        std::fs::write(file, &certificate).unwrap();
        let identity = Identity::from_pkcs8(&certificate, &key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        Front(TlsAcceptor::new(identity).unwrap())
    }

    pub fn before(self, listener: TcpListener) -> TlsListener {
        TlsListener { listener, acceptor: self.0.into() }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
