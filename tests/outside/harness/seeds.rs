//! The inputs that the fuzz targets start from, and with them all that fuzzing ever found, against the same checks; so
//! that what was fixed stays fixed where there is no nightly Rust.

use std::path::Path;

#[path = "../../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a crate of its own for libFuzzer")]
mod checks;

#[test]
fn every_input_of_the_fuzz_targets_keeps_what_is_promised() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (target, check) in checks::TARGETS {
        let files = std::fs::read_dir(seeds.join(target)).unwrap().map(|file| file.unwrap().path());
        let files: Vec<_> = files.collect();
        assert!(files.len() >= 10, "{target} has {} inputs", files.len());
        for file in files {
            // Shown where it fails.
            eprintln!("{}", file.display());
            check(&std::fs::read(&file).unwrap());
        }
    }
}
