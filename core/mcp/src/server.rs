//! What the protocol asks of us: who we are, which tools there are, and calls of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, Implementation, JsonObject,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::{NotificationContext, Peer, RequestContext};
use rmcp::{RoleServer, ServerHandler};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout, Instant};

use crate::answer;
use crate::roots::{Folders, Roots};
use crate::tools;

/// How often a client that asks for progress hears of a call that goes on.
const BETWEEN: Duration = Duration::from_millis(500);
/// How long a call waits for a folder that is being loaded, and how long between two looks.
const LOADING: Duration = Duration::from_secs(50);
const LOOK: Duration = Duration::from_millis(25);
/// How long a client may take to name its roots.
const NAMING: Duration = Duration::from_secs(5);

/// The server of one client.
pub struct Server {
    roots: Arc<Roots>,
    /// The longest page, in bytes.
    page: usize,
    /// The folders that the client has named, once it was asked.
    named: Mutex<Option<Arc<Folders>>>,
}

impl Server {
    /// A server of `roots`, whose pages have at most `page` bytes.
    pub fn new(roots: Arc<Roots>, page: usize) -> Server {
        Server {
            roots,
            page,
            named: Mutex::new(None),
        }
    }

    /// The folders that this client may ask about.
    async fn folders(&self, peer: &Peer<RoleServer>) -> Result<Arc<Folders>, String> {
        if let Some(fixed) = self.roots.fixed() {
            return Ok(Arc::clone(fixed));
        }
        let mut named = self.named.lock().await;
        if let Some(folders) = named.as_ref() {
            return Ok(Arc::clone(folders));
        }
        let folders = Arc::new(self.roots.of(&asked_for_roots(peer).await)?);
        Ok(Arc::clone(named.insert(folders)))
    }

    /// The answer to a call.
    async fn answer(
        &self,
        tool: &Tool,
        arguments: JsonObject,
        peer: &Peer<RoleServer>,
        is_loading: &AtomicBool,
    ) -> Result<CallToolResult, String> {
        let folders = self.folders(peer).await?;
        let ask = tools::ask(tool, arguments, &folders)?;
        let until = Instant::now() + LOADING;
        loop {
            let given = ask.folder.daemon.call(ask.call.clone()).await;
            let given = given.map_err(|why| format!("{}: {why}", tool.name))?;
            let loads = matches!(&given.refused, Some((_, kind)) if kind == "loading");
            if !loads || Instant::now() > until {
                return Ok(answer::result(
                    &tool.name,
                    &given,
                    ask.cursor.as_deref(),
                    self.page,
                ));
            }
            is_loading.store(true, Ordering::Relaxed);
            sleep(LOOK).await;
        }
    }
}

/// The addresses of the roots that the client names, if it is one that does.
// The newest protocol has no such question any more, and clients of it are answered by what the command line says.
#[allow(deprecated)]
async fn asked_for_roots(peer: &Peer<RoleServer>) -> Vec<String> {
    let names_roots = peer
        .peer_info()
        .is_some_and(|info| info.capabilities.roots.is_some());
    if !names_roots {
        return Vec::new();
    }
    match timeout(NAMING, peer.list_roots()).await {
        Ok(Ok(list)) => list.roots.into_iter().map(|root| root.uri).collect(),
        _ => Vec::new(),
    }
}

/// Tells the client that a call goes on, for as long as this is polled.
async fn tell(context: &RequestContext<RoleServer>, is_loading: &AtomicBool) {
    let Some(token) = context.meta.get_progress_token() else {
        return std::future::pending().await;
    };
    let began = Instant::now();
    loop {
        sleep(BETWEEN).await;
        let what = match is_loading.load(Ordering::Relaxed) {
            true => "the folder is being read into memory",
            false => "looking",
        };
        let progress = ProgressNotificationParam::new(token.clone(), began.elapsed().as_secs_f64());
        let _ = context
            .peer
            .notify_progress(progress.with_message(what))
            .await;
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let served = self.roots.fixed().map_or_else(String::new, |folders| {
            format!(" Served: the {}.", folders.shown())
        });
        let instructions = format!(
            "These tools answer from memory, in a fraction of a millisecond, what the real programs would print, byte for byte, and \
             see every write that was done before the call. Prefer them to starting programs: grep over grep and rg, glob over find, \
             read over cat, head, tail and sed -n, list over ls, and bash_read for any other shell line that only reads. They never \
             change anything. A call that is refused says why; use your own shell for that one.{served}"
        );
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("curserve", env!("CARGO_PKG_VERSION")))
            .with_instructions(instructions)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all().to_vec()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::named(name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = tools::named(&request.name) else {
            let names: Vec<&str> = tools::all().iter().map(|tool| tool.name.as_ref()).collect();
            let why = format!("no tool {:?}; there are {}", request.name, names.join(", "));
            return Err(ErrorData::invalid_params(why, None));
        };
        let is_loading = AtomicBool::new(false);
        let arguments = request.arguments.unwrap_or_default();
        let given = tokio::select! {
            biased;
            given = self.answer(tool, arguments, &context.peer, &is_loading) => given,
            () = context.ct.cancelled() => Err(format!("{}: cancelled", tool.name)),
            () = tell(&context, &is_loading) => unreachable!("it goes on"),
        };
        Ok(given.unwrap_or_else(|why| answer::wrong(&why)).into())
    }

    async fn on_roots_list_changed(&self, _: NotificationContext<RoleServer>) {
        *self.named.lock().await = None;
    }
}
