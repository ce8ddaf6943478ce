//! What is said, what tools take, and who comes when.

use std::sync::Arc;

use curserve_sched::Segment;
use curserve_sim::{Place, ScriptTurn};
use pyo3::prelude::*;

use super::refused::refused;

/// A text that a session begins with, and its turns: tokens before the reply, of the reply, kind of tools, more time.
type Script = ((u32, u32), Vec<(u32, u32, u32, u64)>);

/// What sessions say.
#[pyclass(frozen, module = "curserve_core.sim")]
pub struct Scripts {
    scripts: Arc<curserve_sim::Scripts>,
    kinds: u32,
}

#[pymethods]
impl Scripts {
    #[new]
    #[pyo3(signature = (scripts, texts=None, *, shared=false))]
    fn new(
        scripts: Vec<Script>,
        texts: Option<Vec<Vec<(u64, u32, u32)>>>,
        shared: bool,
    ) -> PyResult<Self> {
        let mut kinds = 0;
        for (number, (prefix, turns)) in scripts.iter().enumerate() {
            let mut tokens = u64::from(prefix.1);
            for &(new, reply, kind, _) in turns {
                if new == 0 || reply == 0 {
                    return Err(refused(format!(
                        "script {number}: a turn without a prompt, or without a reply"
                    )));
                }
                tokens += u64::from(new) + u64::from(reply);
                kinds = kinds.max(kind + 1);
            }
            if tokens >= 1 << 30 {
                return Err(refused(format!(
                    "script {number}: {tokens} tokens are too many"
                )));
            }
        }
        let turn = |(new, reply, kind, more_ns)| ScriptTurn {
            new,
            reply,
            kind,
            more_ns,
        };
        let scripts = scripts
            .into_iter()
            .map(|(prefix, turns)| (prefix, turns.into_iter().map(turn).collect()));
        let mut all = curserve_sim::Scripts::new(scripts);
        if let Some(texts) = texts {
            let segment = |(stream, offset, tokens)| Segment {
                stream,
                offset,
                tokens,
            };
            let texts: Vec<Vec<Segment>> = texts
                .into_iter()
                .map(|text| text.into_iter().map(segment).collect())
                .collect();
            let odd = |text: &Vec<Segment>| {
                let tokens = text.iter().map(|part| u64::from(part.tokens)).sum::<u64>();
                tokens == 0 || tokens >= 1 << 30 || text.iter().any(|part| part.stream >= 1 << 31)
            };
            if texts.len() != all.turns() || texts.iter().any(odd) {
                return Err(refused(
                    "a text for each turn, of 1 to 2**30 tokens".to_owned(),
                ));
            }
            all = all.with_texts(texts, shared);
        }
        let scripts = Arc::new(all);
        Ok(Self { scripts, kinds })
    }
}

/// Share of the users, half their round trip, and for each kind of tool (whole time, that of a server's processor).
type Tier = (f64, u64, Vec<Vec<(u64, u64)>>);

/// What tools take.
#[pyclass(frozen, module = "curserve_core.sim")]
pub struct Gaps(pub(super) Arc<curserve_sim::Gaps>);

#[pymethods]
impl Gaps {
    #[new]
    fn new(at_user: bool, tiers: Vec<Tier>) -> PyResult<Self> {
        if tiers.is_empty() {
            return Err(refused("no tier".to_owned()));
        }
        let places = tiers.into_iter().map(|(share, half_ns, mut gaps)| {
            for kind in &mut gaps {
                if let Some((whole, work)) = kind.iter().find(|(whole, work)| work > whole) {
                    return Err(refused(format!("{work} ns of work in a gap of {whole}")));
                }
                kind.sort_unstable();
            }
            Ok(Place {
                share,
                half_ns,
                gaps,
            })
        });
        let places = places.collect::<PyResult<_>>()?;
        Ok(Self(Arc::new(curserve_sim::Gaps { at_user, places })))
    }
}

/// Who comes when.
#[pyclass(frozen, module = "curserve_core.sim")]
pub struct Sessions {
    pub(super) scripts: Arc<curserve_sim::Scripts>,
    pub(super) kinds: u32,
    pub(super) script: Arc<Vec<u32>>,
    pub(super) start_ns: Arc<Vec<u64>>,
    pub(super) users: u32,
    pub(super) think_ns: u64,
    pub(super) seed: u64,
}

#[pymethods]
impl Sessions {
    #[new]
    #[pyo3(signature = (scripts, script, start_ns, seed, *, users=0, think_ns=0))]
    fn new(
        scripts: &Scripts,
        script: Vec<u32>,
        start_ns: Vec<u64>,
        seed: u64,
        users: u32,
        think_ns: u64,
    ) -> PyResult<Self> {
        let by_themselves = match users {
            0 => script.len(),
            users => script.len().min(users as usize),
        };
        if script.is_empty() || start_ns.len() < by_themselves {
            return Err(refused(format!(
                "{} sessions and {} starts",
                script.len(),
                start_ns.len()
            )));
        }
        if script
            .iter()
            .any(|&script| script as usize >= scripts.scripts.len())
        {
            return Err(refused("a session names no script".to_owned()));
        }
        Ok(Self {
            scripts: scripts.scripts.clone(),
            kinds: scripts.kinds,
            script: Arc::new(script),
            start_ns: Arc::new(start_ns),
            users,
            think_ns,
            seed,
        })
    }
}
