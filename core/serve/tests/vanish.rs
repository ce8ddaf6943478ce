//! Files that come and go while the tree is searched: answers stay right, and are rarely refused.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use curserve_exec::Limits;
use curserve_proto::{Call, Handler};
use curserve_serve::Daemon;
use curserve_tools::World;
use serde_json::json;

fn call(command: &str) -> Call {
    Call {
        tool: "bash".into(),
        arguments: json!({"command": command})
            .as_object()
            .cloned()
            .expect("an object"),
        ..Call::default()
    }
}

fn churn(root: &Path, stop: &AtomicBool) {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        let path = root.join(format!("sub/t{}", turn % 7));
        std::fs::write(&path, "needle here\n").expect("a file");
        std::fs::remove_file(&path).expect("it goes");
        turn += 1;
        if turn % 20 == 0 {
            std::thread::sleep(Duration::from_micros(300));
        }
    }
}

#[test]
fn a_search_while_files_vanish_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    std::fs::create_dir(root.join("sub")).expect("a folder");
    for number in 0..100 {
        let path = root.join(format!("sub/f{number}"));
        std::fs::write(path, format!("line\nneedle {number}\n")).expect("a file");
    }
    let at = root.to_str().expect("UTF-8").to_owned();
    let daemon = Daemon::start(
        root.clone(),
        at,
        Limits::default(),
        World::of_this_machine(),
    );
    let daemon = daemon.expect("a daemon");
    daemon.wait().expect("loaded");
    let stop = AtomicBool::new(false);
    let (mut asked, mut refused) = (0, Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| churn(&root, &stop));
        for _ in 0..150 {
            for command in ["grep -rl needle . | wc -l", "cat sub/f? | grep -c needle"] {
                let answer = daemon.call(&call(command));
                asked += 1;
                if let Some(reason) = answer.refused {
                    refused.push(reason);
                    continue;
                }
                let count: i32 = String::from_utf8_lossy(&answer.stdout)
                    .trim()
                    .parse()
                    .expect("a number");
                let least = if command.starts_with("cat") { 10 } else { 100 };
                assert!((least..=least + 7).contains(&count), "{command}: {count}");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(
        refused.len() * 20 <= asked,
        "{} of {asked} refused: {:?}",
        refused.len(),
        refused.first()
    );
}
