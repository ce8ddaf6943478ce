//! One line of a listing: what is known of it, and its place among the others.

use curserve_corpus::{Kind, Meta, Node};

use super::flags::{Flags, Sort};
use crate::{input, Call, Refusal};

/// One line of a listing.
pub struct Entry<'a> {
    /// The name that is printed.
    pub name: Vec<u8>,
    /// What `stat` says.
    pub meta: Meta,
    /// Where a link points.
    pub target: Option<&'a [u8]>,
    /// The mode of what a link leads to, for `-F`.
    pub target_mode: Option<u32>,
    /// It is a folder, or a link to one.
    leads_to_folder: bool,
}

impl<'a> Entry<'a> {
    /// `node`, listed as `name`.
    ///
    /// # Errors
    /// Where it is a link that leads outside the root, and that is asked.
    pub fn new(
        call: &Call<'a>,
        node: Node<'a>,
        name: Vec<u8>,
        flags: &Flags,
    ) -> Result<Self, Refusal> {
        let target = node.link_target();
        let mut target_mode = None;
        if target.is_some() && flags.long && (flags.classify || flags.folders_first) {
            // Nobody else asks where a link leads, and -p marks it where it is known; a link that leads nowhere gets no mark.
            target_mode = input::look(call, &node.path(), true)?
                .ok()
                .map(|n| n.meta().mode);
        }
        let leads_to_folder = match node.kind() {
            Kind::Link if flags.folders_first => match input::look(call, &node.path(), true)? {
                Ok(node) => node.kind() == Kind::Folder,
                Err(_) => false,
            },
            kind => kind == Kind::Folder,
        };
        Ok(Entry {
            name,
            meta: *node.meta(),
            target,
            target_mode,
            leads_to_folder,
        })
    }

    /// `.` or `..`.
    pub fn dots(name: &[u8], meta: Meta) -> Self {
        Entry {
            name: name.to_vec(),
            meta,
            target: None,
            target_mode: None,
            leads_to_folder: true,
        }
    }

    /// Whether `-R` lists what is in it.
    pub fn is_folder(&self) -> bool {
        self.meta.kind() == Kind::Folder
    }
}

/// From the last dot on, wherever it stands.
fn extension(name: &[u8]) -> &[u8] {
    memchr::memrchr(b'.', name).map_or(b"", |dot| &name[dot..])
}

/// Orders `items`, each of which has an entry.
pub fn sort<T>(items: &mut [T], flags: &Flags, entry: impl Fn(&T) -> &Entry<'_>) {
    if flags.sort == Sort::None {
        return;
    }
    items.sort_by(|a, b| {
        let (a, b) = (entry(a), entry(b));
        let order = match flags.sort {
            Sort::Time => b
                .meta
                .mtime
                .cmp(&a.meta.mtime)
                .then_with(|| a.name.cmp(&b.name)),
            Sort::Size => b
                .meta
                .size
                .cmp(&a.meta.size)
                .then_with(|| a.name.cmp(&b.name)),
            Sort::Extension => extension(&a.name)
                .cmp(extension(&b.name))
                .then_with(|| a.name.cmp(&b.name)),
            _ => a.name.cmp(&b.name),
        };
        let order = if flags.reverse {
            order.reverse()
        } else {
            order
        };
        if flags.folders_first {
            b.leads_to_folder.cmp(&a.leads_to_folder).then(order)
        } else {
            order
        }
    });
}
