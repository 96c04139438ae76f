//! A view of the file system that only the programs of one test have: a small disk in the place of a folder, another
//! file in the place of one of `/etc`. It needs root, and leaves nothing behind: mounts of a namespace end with it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// The namespace. Programs that run in it keep it; what else holds it ends when this is dropped.
pub struct Namespace {
    holder: Child,
    /// The holder reads from here, so that it ends with the test, however that ends.
    _input: ChildStdin,
}

impl Namespace {
    /// This machine's mounts as a shell script changes them.
    #[track_caller]
    pub fn new(script: &str) -> Namespace {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", &format!("{script}\necho ready\nexec cat")]);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = holder.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the script fails: {script}");
        Namespace { holder, _input: input }
    }

    /// The same with a disk of so many KiB in the place of this folder, which must be there.
    #[track_caller]
    pub fn with_disk(folder: &Path, kibibytes: usize) -> Namespace {
        let folder = folder.display();
        Namespace::new(&format!("mount -t tmpfs -o size={kibibytes}k,mode=700 tmpfs '{folder}'"))
    }

    /// What this path means to the programs in the namespace.
    pub fn path(&self, path: &Path) -> PathBuf {
        let root = format!("/proc/{}/root", self.holder.id());
        Path::new(&root).join(path.strip_prefix("/").unwrap())
    }

    /// The same program in the namespace, with nothing of the caller's environment but what the command names.
    pub fn enter(&self, command: &Command) -> Command {
        let mut entering = Command::new("nsenter");
        entering.args([
            "--target",
            &self.holder.id().to_string(),
            "--mount",
            "--",
            "sh",
            "-c",
            "cd \"$0\" && exec \"$@\"",
        ]);
        entering.arg(command.get_current_dir().unwrap_or(Path::new("/")));
        entering.arg(command.get_program()).args(command.get_args());
        entering.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        entering.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        entering
    }

    /// Runs a shell script in it that must succeed.
    #[track_caller]
    pub fn sh(&self, script: &str) {
        let mut shell = Command::new("sh");
        shell.args([OsStr::new("-ec"), OsStr::new(script)]);
        let output = self.enter(&shell).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ended_already = self.holder.kill();
        let _reaped = self.holder.wait();
    }
}

/// Fills a disk to the last byte with a file of this name in one of its folders.
#[track_caller]
pub fn fill(file: &Path) {
    use std::io::Write;
    let mut filler = std::fs::File::create(file).unwrap();
    // Whole pages first, then what is left of one.
    for size in [4096, 1] {
        while filler.write_all(&vec![0; size]).is_ok() {}
    }
    let more = std::fs::write(file.with_extension("more"), "x");
    assert_eq!(more.unwrap_err().kind(), std::io::ErrorKind::StorageFull, "{} is not full", file.display());
}
