//! A name server that a test makes fail, and programs that ask no other: one small enough to be understood at a glance,
//! for what is tested is who asks.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::loopback;
use super::namespace::Namespace;
use super::workspace::Workspace;

/// What it says about every name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Says {
    /// That it cannot tell now.
    ServerFailure,
    /// That there is no such name.
    NoSuchName,
    /// Nothing.
    Nothing,
    /// Where it leads.
    Address(Ipv4Addr),
}

/// The server, on a thread of its own, which ends with the process.
pub struct NameServer {
    address: Ipv4Addr,
    says: Arc<Mutex<Says>>,
    asked: Arc<AtomicUsize>,
}

impl NameServer {
    /// Answers as soon as this returns; needs root, for the port that everybody asks.
    #[track_caller]
    pub fn start(says: Says) -> NameServer {
        let address = loopback::address();
        let socket = UdpSocket::bind((address, 53)).unwrap();
        let (says, asked) = (Arc::new(Mutex::new(says)), Arc::<AtomicUsize>::default());
        let (said, count) = (Arc::clone(&says), Arc::clone(&asked));
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, asker)) = socket.recv_from(&mut question) {
                count.fetch_add(1, Ordering::Relaxed);
                let says = *said.lock().unwrap();
                if let Some(answer) = answer(&question[..length], says) {
                    let _gone = socket.send_to(&answer, asker);
                }
            }
        });
        NameServer { address, says, asked }
    }

    /// Where it is asked.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// What it says from now on.
    pub fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// A place for programs that ask this one and nobody else, nor a file or a cache of names.
    #[track_caller]
    pub fn namespace(&self, folder: &Workspace) -> Namespace {
        folder.write("etc/resolv.conf", &format!("nameserver {}\noptions timeout:1 attempts:1\n", self.address));
        folder.write("etc/nsswitch.conf", "hosts: dns\n");
        let etc = folder.path("etc").display().to_string();
        Namespace::new(&format!(
            "mount --bind {etc}/resolv.conf /etc/resolv.conf\nmount --bind {etc}/nsswitch.conf /etc/nsswitch.conf\n\
             if [ -d /run/nscd ]; then mount -t tmpfs tmpfs /run/nscd; fi"
        ))
    }
}

/// The answer to a question of one name: the question again, and at most one address.
fn answer(question: &[u8], says: Says) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const A: [u8; 2] = [0, 1];
    let name_end = HEADER + question[HEADER..].iter().position(|byte| *byte == 0)? + 1;
    let asked_type = question.get(name_end..name_end + 2)?;
    let (code, address) = match says {
        Says::Nothing => return None,
        Says::ServerFailure => (2, None),
        Says::NoSuchName => (3, None),
        Says::Address(address) => (0, Some(address).filter(|_| asked_type == A)),
    };
    let mut answer = question[..2].to_vec();
    // An answer, from one who may ask on; one question, so many addresses, nothing else.
    answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    answer.extend(&question[HEADER..name_end + 4]);
    if let Some(address) = address {
        // The name of the question, an address of the Internet, for an hour, four bytes long.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}
