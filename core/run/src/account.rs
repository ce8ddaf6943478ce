//! What a daemon has answered and refused, in words.

use serde_json::Value;

/// So many reasons are shown.
const MOST: usize = 10;

/// What `stats` says of the daemon on `root`. `process_ns` is what starting a shell takes here, in nanoseconds: what each
/// answered call has saved at least.
pub fn shown(root: &str, stats: &Value, process_ns: Option<u64>) -> String {
    let number = |name: &str| stats.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (answered, refused) = (number("answered"), number("refused"));
    let asked = answered + refused;
    let uptime = stats.get("uptime_s").and_then(Value::as_f64).unwrap_or(0.0);
    let mut text = format!(
        "{root}: up {uptime:.0} s, {} connected\n",
        number("connections").saturating_sub(1)
    );
    let is_loaded = stats
        .get("loaded")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if let Some(trouble) = stats.get("trouble").and_then(Value::as_str) {
        text.push_str(&format!("  cannot answer: {trouble}\n"));
    } else if !is_loaded {
        text.push_str("  still loading\n");
    }
    let share = |part: u64| {
        if asked == 0 {
            0.0
        } else {
            100.0 * part as f64 / asked as f64
        }
    };
    text.push_str(&format!(
        "  answered from memory: {answered} of {asked} calls ({:.0} %)",
        share(answered)
    ));
    if answered > 0 {
        let took_ns = number("answered_ns");
        text.push_str(&format!(
            ", {:.2} ms each\n",
            took_ns as f64 / answered as f64 / 1e6
        ));
        if let Some(process_ns) = process_ns {
            let saved_ns = (process_ns * answered).saturating_sub(took_ns);
            text.push_str(&format!(
                "  saved: {:.2} s or more: each call would have started a process ({:.1} ms here), and then worked\n",
                saved_ns as f64 / 1e9,
                process_ns as f64 / 1e6
            ));
        }
    } else {
        text.push('\n');
    }
    text.push_str(&format!(
        "  left to the real programs: {refused} ({:.0} %)\n",
        share(refused)
    ));
    let reasons = stats.get("refused_by_reason").and_then(Value::as_object);
    let mut reasons: Vec<(u64, &str)> = reasons
        .into_iter()
        .flatten()
        .map(|(reason, count)| (count.as_u64().unwrap_or(0), reason.as_str()))
        .collect();
    reasons.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    for (count, reason) in reasons.iter().take(MOST) {
        text.push_str(&format!("    {count:>6}  {reason}\n"));
    }
    if reasons.len() > MOST {
        text.push_str(&format!(
            "            and {} other reasons\n",
            reasons.len() - MOST
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_told_with_their_reasons() {
        let stats = json!({"answered": 3, "answered_ns": 600_000, "refused": 1, "connections": 2, "uptime_s": 7.0,
                           "loaded": true, "refused_by_reason": {"a command in the background": 1}});
        let text = shown("/w", &stats, Some(2_000_000));
        assert_eq!(
            text,
            "/w: up 7 s, 1 connected\n  answered from memory: 3 of 4 calls (75 %), 0.20 ms each\n  \
             saved: 0.01 s or more: each call would have started a process (2.0 ms here), and then worked\n  \
             left to the real programs: 1 (25 %)\n         1  a command in the background\n"
        );
        assert!(shown("/w", &json!({}), None).contains("0 of 0 calls (0 %)\n"));
    }
}
