//! A peer that says anything: bytes that are no message, and messages that no honest peer sends.

#[path = "../simulation/mod.rs"]
mod simulation;

use curserve_mirror::{
    Change, Content, Entry, Error, Hash, Kind, Limits, Message, Name, Op, Outcome, Owner, Place,
    Proposal, RelPath, Replica, Stand, VERSION,
};
use simulation::{folder, SimDisk, SimLog};

const NAMES: [&[u8]; 5] = [b"a", b"b", b"c", b".git", b"a.curserve-conflict-1"];

struct Liar(fastrand::Rng);

impl Liar {
    fn path(&mut self) -> RelPath {
        let mut path = RelPath::root();
        for _ in 0..self.0.usize(..4) {
            path = path.join(NAMES[self.0.usize(..NAMES.len())]).unwrap();
        }
        path
    }

    fn number(&mut self) -> u64 {
        match self.0.usize(..4) {
            0 => self.0.u64(..),
            1 => u64::MAX,
            _ => self.0.u64(..6),
        }
    }

    fn hash(&mut self) -> Hash {
        Hash::of(&[self.0.u8(..3)])
    }

    fn entry(&mut self) -> Entry {
        let kind = match self.0.usize(..4) {
            0 => Kind::Folder,
            1 => Kind::File {
                size: self.0.u64(..3),
                hash: self.hash(),
            },
            2 => Kind::Link {
                target: b"/etc/passwd"[..].into(),
            },
            _ => Kind::File {
                size: 1 << 30,
                hash: self.hash(),
            },
        };
        Entry {
            mode: self.0.u16(..0o10000),
            mtime: self.0.i64(..),
            kind,
        }
    }

    fn content(&mut self) -> Content {
        match self.0.usize(..5) {
            0 => Content::None,
            1 => Content::Bulk {
                have: self.0.u64(..3),
            },
            2 => Content::Delta {
                base: self.hash(),
                frame: b"no frame"[..].into(),
            },
            _ => Content::Whole([self.0.u8(..3)][..].into()),
        }
    }

    fn place(&mut self) -> Place {
        match self.0.usize(..3) {
            0 => Place::First,
            1 => Place::Last,
            _ => Place::After(Name::from(NAMES[self.0.usize(..5)])),
        }
    }

    fn op(&mut self) -> Op {
        let path = self.path();
        match self.0.usize(..12) {
            0..=3 => Op::Put {
                path,
                entry: self.entry(),
                place: self.place(),
                content: self.content(),
            },
            4 => Op::Delete { path },
            5 => Op::Rename {
                from: path,
                to: self.path(),
                place: self.place(),
            },
            6 => Op::Meta {
                path,
                mode: 0,
                mtime: i64::MIN,
            },
            7 => Op::Order {
                path,
                place: self.place(),
                run: (0..4)
                    .map(|_| Name::from(NAMES[self.0.usize(..5)]))
                    .collect(),
            },
            8 => [Op::Begin, Op::Commit, Op::Flush, Op::InStep][self.0.usize(..4)].clone(),
            9 => Op::Healed { id: self.number() },
            _ => Op::Verdict {
                id: self.0.u64(..3),
                outcome: Outcome::Accepted,
                entry: self.0.bool().then(|| self.entry()),
            },
        }
    }

    fn message(&mut self, sequence: &mut u64) -> Message {
        match self.0.usize(..9) {
            0..=3 => {
                if self.0.usize(..20) > 0 {
                    *sequence += 1;
                }
                Message::Record {
                    sequence: *sequence,
                    op: self.op(),
                }
            }
            4 => Message::Piece {
                number: self.number(),
                bytes: b"x"[..].into(),
            },
            5 => Message::Ask {
                id: self.number(),
                path: self.path(),
            },
            6 => Message::Listing {
                id: self.0.u64(..3),
                last: self.0.bool(),
                entries: vec![],
            },
            7 => Message::Lost {
                id: self.number(),
                path: self.path(),
            },
            _ => Message::Propose(Proposal {
                id: self.0.u64(..9),
                path: self.path().join(b"x").unwrap(),
                base: self.0.bool().then(|| self.entry()),
                change: match self.0.usize(..3) {
                    0 => Change::Remove,
                    1 => Change::Mode { mode: 0o7777 },
                    _ => Change::File {
                        mode: None,
                        size: 1,
                        hash: self.hash(),
                        content: self.content(),
                    },
                },
            }),
        }
    }
}

fn is_fault(result: Result<(), Error>) -> bool {
    match result {
        Ok(()) => false,
        Err(Error::Fault(fault)) => {
            let line = fault.to_string();
            assert!(!line.contains('\n') && line.len() < 6000, "{line}");
            true
        }
        Err(Error::Disk(error)) => panic!("the disk was blamed: {error}"),
    }
}

#[test]
fn a_lying_client_gets_one_line_and_the_server_goes_on() {
    let mut faults = 0;
    for seed in 0..3000 {
        let mut liar = Liar(fastrand::Rng::with_seed(seed));
        let files = folder();
        let (disk, log) = (SimDisk(files.clone()), SimLog(files));
        let mut replica = Replica::open(disk, log, [2; 16], Limits::default()).unwrap();
        for epoch in 1..4 {
            replica.connected().unwrap();
            let hello = Message::Hello {
                version: VERSION,
                client: [0; 16],
                epoch,
            };
            replica.receive(hello).unwrap();
            let mut sequence = 0;
            for _ in 0..30 {
                let edited = RelPath::new(b"a").unwrap();
                let _ = replica.edit(&edited, Change::Folder { mode: 0o700 });
                while replica.next_message().is_some() {}
                let message = liar.message(&mut sequence);
                let message = Message::decode(&message.encode()).unwrap_or(message);
                if is_fault(replica.receive(message)) {
                    faults += 1;
                    break;
                }
            }
            let _ = replica.ready(Stand::default());
        }
    }
    assert!(faults > 1000, "{faults}");
}

#[test]
fn a_lying_server_gets_one_line_and_the_client_goes_on() {
    let mut faults = 0;
    for seed in 0..3000 {
        let mut liar = Liar(fastrand::Rng::with_seed(seed));
        let files = folder();
        let (disk, log) = (SimDisk(files.clone()), SimLog(files));
        let mut owner = Owner::open(disk, log, [1; 16], Limits::default()).unwrap();
        for _ in 0..3 {
            owner.connected();
            let welcome = Message::Welcome {
                version: VERSION,
                session: [3; 16],
                epoch: liar.0.u64(..100),
                root: liar.hash(),
                entry: Entry {
                    mode: 0o755,
                    mtime: 0,
                    kind: Kind::Folder,
                },
                pending: vec![1, 2],
                partial: vec![(liar.hash(), 5)],
            };
            owner.receive(welcome).unwrap();
            let listing = Message::Listing {
                id: 1,
                last: true,
                entries: vec![],
            };
            owner.receive(listing).unwrap();
            let mut sequence = 0;
            for _ in 0..30 {
                let done = owner.pump();
                while owner
                    .next_message()
                    .or_else(|| owner.next_piece())
                    .is_some()
                {}
                if is_fault(done) || is_fault(owner.receive(liar.message(&mut sequence))) {
                    faults += 1;
                    break;
                }
            }
        }
    }
    assert!(faults > 1000, "{faults}");
}

#[test]
fn bytes_that_are_no_message_are_none() {
    let mut liar = Liar(fastrand::Rng::with_seed(7));
    let mut sequence = 0;
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = liar.message(&mut sequence).encode();
        for end in 0..bytes.len().min(40) {
            assert!(Message::decode(&bytes[..end]).is_err());
        }
        for _ in 0..3 {
            let at = liar.0.usize(..bytes.len());
            bytes[at] = liar.0.u8(..);
            refused += usize::from(Message::decode(&bytes).is_err());
        }
        bytes.push(0);
    }
    assert!(refused > 1000, "{refused}");
}
