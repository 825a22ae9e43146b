//! The ports of three nodes on one machine, and who holds one that is taken.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

/// The ports of one node. All of them are on 127.0.0.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ports {
    /// Where bakers ask.
    pub signer: u16,
    /// Where the other nodes ask.
    pub peers: u16,
    /// Health and metrics.
    pub ops: u16,
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Somebody listens there.
    #[error(
        "port {port} ({purpose} of node {node}) is taken by {holder}; stop it, or choose other ports with --signer-port"
    )]
    Taken {
        /// The port.
        port: u16,
        /// Whose it was to be.
        node: u64,
        /// What it was to be for.
        purpose: &'static str,
        /// The process, as far as it can be seen.
        holder: Holder,
    },
    /// The system refuses for another reason.
    #[error(
        "port {port} ({purpose} of node {node}) cannot be bound: {source}; choose other ports with --signer-port"
    )]
    Refused {
        /// The port.
        port: u16,
        /// Whose it was to be.
        node: u64,
        /// What it was to be for.
        purpose: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The three nodes need ports above the first one.
    #[error("--signer-port {port} leaves no room for the other ports; take one up to {max}")]
    NoRoom {
        /// What was asked for.
        port: u16,
        /// The highest one that works.
        max: u16,
    },
    /// `--signer-port 0`, and nothing free was found.
    #[error("no nine free ports were found between {FREE_FROM} and {FREE_TO}")]
    NoneFree,
    /// The random source of the system failed.
    #[error("no random number for a free port: {0}")]
    NoRandomness(getrandom::Error),
}

/// The distance from the signer's default port (6732) to the peers' (7101) and to health's (9732).
const PEERS_ABOVE: u16 = 369;
const OPS_ABOVE: u16 = 3_000;

/// Where `--signer-port 0` looks: below the ports that Linux gives to outgoing connections
/// (32768 and up), since one of those could sit on a node's port while it is restarted.
const FREE_FROM: u16 = 10_000;
const FREE_TO: u16 = 29_000;
const FREE_TRIES: usize = 200;

impl Ports {
    /// The ports of `count` nodes: signer ports from `first` on, the others at a fixed distance. 0
    /// looks for free ones.
    ///
    /// # Errors
    /// If there is no room above `first`, or nothing is free.
    pub fn plan(first: u16, count: u16) -> Result<Vec<Self>, PortError> {
        if first != 0 {
            return Self::above(first, count);
        }
        for _ in 0..FREE_TRIES {
            let mut random = [0; 2];
            getrandom::fill(&mut random).map_err(PortError::NoRandomness)?;
            let span = FREE_TO.saturating_sub(FREE_FROM);
            let offset = u16::from_be_bytes(random).checked_rem(span).unwrap_or(0);
            let ports = Self::above(FREE_FROM.saturating_add(offset), count)?;
            if ports.iter().zip(1..).all(|(own, id)| own.check(id).is_ok()) {
                return Ok(ports);
            }
        }
        Err(PortError::NoneFree)
    }

    fn above(first: u16, count: u16) -> Result<Vec<Self>, PortError> {
        let at = |offset: u16| {
            let signer = first.checked_add(offset)?;
            Some(Self {
                signer,
                peers: signer.checked_add(PEERS_ABOVE)?,
                ops: signer.checked_add(OPS_ABOVE)?,
            })
        };
        (0..count)
            .map(at)
            .collect::<Option<_>>()
            .ok_or_else(|| PortError::NoRoom {
                port: first,
                max: u16::MAX
                    .saturating_sub(OPS_ABOVE)
                    .saturating_sub(count.saturating_sub(1)),
            })
    }

    /// Whether node `id` can have these ports now. Nothing is held: a node binds them itself.
    ///
    /// # Errors
    /// For the first port that cannot be had, with who holds it.
    pub fn check(&self, id: u64) -> Result<(), PortError> {
        let all = [
            (self.signer, "signer API"),
            (self.peers, "peers"),
            (self.ops, "health"),
        ];
        for (port, purpose) in all {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            match TcpListener::bind(address) {
                Ok(listener) => drop(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    return Err(PortError::Taken {
                        port,
                        node: id,
                        purpose,
                        holder: Holder::of(port),
                    });
                }
                Err(source) => {
                    return Err(PortError::Refused {
                        port,
                        node: id,
                        purpose,
                        source,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Who holds a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Holder {
    /// A process that this user may look at.
    Process {
        /// Its process id.
        pid: u32,
        /// Its command line.
        program: String,
    },
    /// A process of another user, whose open files cannot be seen.
    Unseen,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Process { pid, program } => write!(f, "process {pid} ({program})"),
            Self::Unseen => f.write_str("a process of another user (`ss -ltnp` as root names it)"),
        }
    }
}

impl Holder {
    /// Looks the port up in `/proc/net/tcp` and its socket in the open files of every process.
    pub fn of(port: u16) -> Self {
        let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .flat_map(|table| sockets_at(&table, port))
            .collect();
        processes()
            .find(|(_, folder)| holds_one_of(folder, &inodes))
            .map_or(Self::Unseen, |(pid, folder)| Self::Process {
                pid,
                program: command_line(&folder).join(" "),
            })
    }
}

/// The inodes of the sockets bound to a port. A line of the table (Linux, `proc_pid_net(5)`) reads
/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...`, the port in
/// hexadecimal behind the local address. A socket without a process (TIME_WAIT) has inode 0.
fn sockets_at(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let local = fields.nth(1)?;
            let inode = fields.nth(7)?;
            (local.ends_with(&suffix) && inode != "0").then(|| inode.to_owned())
        })
        .collect()
}

fn holds_one_of(process: &Path, inodes: &[String]) -> bool {
    let Ok(open) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    open.flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| {
            let target = target.to_string_lossy();
            target
                .strip_prefix("socket:[")
                .and_then(|rest| rest.strip_suffix(']'))
                .is_some_and(|inode| inodes.iter().any(|wanted| wanted == inode))
        })
}

/// Every process of this machine: its id and its folder in `/proc`.
pub(super) fn processes() -> impl Iterator<Item = (u32, std::path::PathBuf)> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, entry.path()))
        })
}

/// The arguments of a process; none if it is gone or a kernel thread.
pub(super) fn command_line(process: &Path) -> Vec<String> {
    let bytes = fs::read(process.join("cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_ports_are_those_of_the_configuration() {
        let ports = Ports::plan(6732, 3).unwrap();
        assert_eq!(
            ports[0],
            Ports {
                signer: 6732,
                peers: 7101,
                ops: 9732
            }
        );
        assert_eq!(
            ports[2],
            Ports {
                signer: 6734,
                peers: 7103,
                ops: 9734
            }
        );
    }

    #[test]
    fn a_port_without_room_above_it_is_refused_with_the_highest_one_that_works() {
        for first in [62_534, 65_535] {
            let PortError::NoRoom { max, .. } = Ports::plan(first, 3).unwrap_err() else {
                panic!("{first} has no room for health of three nodes");
            };
            assert_eq!((max, Ports::plan(max, 3).unwrap().len()), (62_533, 3));
        }
    }

    #[test]
    fn a_taken_port_is_named_with_the_process_that_holds_it() {
        let free = Ports::plan(0, 1).unwrap()[0];
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, free.ops)).unwrap();
        let fault = free.check(2).unwrap_err();
        let PortError::Taken {
            port, node, holder, ..
        } = &fault
        else {
            panic!("{fault}");
        };
        assert_eq!((*port, *node), (free.ops, 2));
        let Holder::Process { pid, program } = holder else {
            panic!("this process holds it: {fault}");
        };
        assert_eq!(*pid, std::process::id());
        let own = std::env::args().next().unwrap();
        assert!(program.starts_with(&own), "{program}");
        drop(held);
        free.check(2).unwrap();
    }
}
