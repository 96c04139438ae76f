//! Writes the dashboards in `grafana/dashboards`: `cargo run --example dashboards`.
//!
//! Plain values of `serde_json` and no library of Grafana's: what is written is what Grafana reads, a fresh clone needs
//! nothing more, and the two languages' dashboards cannot drift apart, because each panel holds both queries.

mod dashboards;

use std::path::Path;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/dashboards");
    for (name, dashboard) in dashboards::all() {
        let path = folder.join(name);
        std::fs::write(&path, dashboards::text(&dashboard))
            .with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}
