//! Python binding of the core: one file per room, each converts and releases the GIL, nothing more.

use pyo3::prelude::*;

mod batch;
mod channel;
mod descriptor;
mod link;
mod pacer;
mod sched;
mod search;
mod sim;

#[pymodule]
mod _core {
    use super::*;

    #[pymodule_export]
    use crate::batch::{BatchServer, Served};
    #[pymodule_export]
    use crate::channel::Channel;
    #[pymodule_export]
    use crate::link::{LinkQueue, LinkRelay};
    #[pymodule_export]
    use crate::pacer::{Pacer, Written};
    #[pymodule_export]
    use crate::sched::{Scheduler, Step, StepTime};

    #[pymodule_export]
    use crate::sim::{simulate, Gaps, Scripts, Sessions};

    #[pymodule_export]
    use crate::search::{Corpus, Refused};

    #[pymodule_init]
    fn init(m: &Bound<'_, PyModule>) -> PyResult<()> {
        m.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
