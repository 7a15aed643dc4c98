//! Ports for servers that are killed and come back: each stays free for its server in between.

use std::{
    env,
    fs::{self, File},
    net::TcpListener,
    ops::Range,
    sync::{Mutex, PoisonError},
};

/// Below those that the system gives away as the near ends of connections.
const FIRST: u16 = 10_000;
/// Ports are taken by the block, and a block is its process's for as long as that lives.
const BLOCK: u16 = 40;
const BLOCKS: u16 = 550;

/// The blocks of this process. The last one's ports that were not given out yet.
struct Mine {
    locks: Vec<File>,
    ports: Range<u16>,
}

static MINE: Mutex<Mine> = Mutex::new(Mine {
    locks: Vec::new(),
    ports: 0..0,
});

/// A port that nobody listens on, that no other test is given, in whatever process, while this process lives, and that the
/// system gives to nobody.
///
/// # Panics
///
/// If all are taken, or the folder for temporary files cannot be written.
pub fn free_port() -> u16 {
    let mut mine = MINE.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match mine.ports.next() {
            Some(port) if TcpListener::bind(("127.0.0.1", port)).is_ok() => return port,
            Some(_) => {}
            None => {
                let (lock, ports) = block();
                mine.locks.push(lock);
                mine.ports = ports;
            }
        }
    }
}

/// A block that no process has. The lock goes with the process, whatever becomes of it.
fn block() -> (File, Range<u16>) {
    let folder = env::temp_dir().join("ports-for-tests");
    fs::create_dir_all(&folder).unwrap();
    let nth = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap();
    for block in (nth..BLOCKS).chain(0..nth) {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(block.to_string()));
        // Another user's is taken too.
        if let Ok(file) = file
            && file.try_lock().is_ok()
        {
            let first = FIRST + block * BLOCK;
            return (file, first..first + BLOCK);
        }
    }
    panic!("every block of ports is taken");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_port_is_given_once_and_its_block_is_locked() {
        let count = usize::from(BLOCK) + 1;
        let ports: BTreeSet<_> = (0..count).map(|_| free_port()).collect();
        assert_eq!(ports.len(), count);
        for port in ports {
            let block = (port - FIRST) / BLOCK;
            let path = env::temp_dir().join("ports-for-tests").join(block.to_string());
            let other = File::options().write(true).open(path).unwrap();
            assert!(other.try_lock().is_err(), "{port}");
        }
    }
}
