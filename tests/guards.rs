//! Guards over the crate as a whole: which module may use which, how large files and the error get, and what the crate
//! depends on. They read the source and ask cargo; nothing of the library is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::mem::size_of;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailconnect::Error;

/// Modules by layer, lowest first: each may use all below, and those of its own layer; the adapters not even these.
const LAYERS: &[&[&str]] = &[
    &["error", "endpoint", "ports", "limits", "certificate", "tls_info"],
    &["net"],
    &["tls"],
    &["wire"],
    &["sasl"],
    &["protocol", "connector", "client"],
    &["smtp", "imap", "pop3"],
    &["lmtp"],
];

/// What another crate can use is enough for these.
const ADAPTERS: &[&str] = &["smtp", "imap", "pop3", "lmtp"];

/// May use anything, and is used by nothing.
const TESTING: &str = "testing";

/// So many `use crate::` lines there are at least; fewer mean that they were not found.
const USE_LINES: usize = 60;

/// Crates whose types must not be part of ours: their next major version would be one of this crate too.
const FOREIGN: &[&str] = &[
    "aws_lc_rs",
    "aws_lc_sys",
    "base64",
    "bufstream",
    "log",
    "mail_parser",
    "md5",
    "memchr",
    "native_tls",
    "openssl",
    "rcgen",
    "ring",
    "rustls",
    "rustls_native_certs",
    "rustls_pki_types",
    "socket2",
    "stringprep",
    "thiserror",
    "webpki",
    "zeroize",
];

/// How many rules there are, each with tests whose names say which.
const RULES: usize = 13;

const LINES: usize = 500;
/// With TLS and nothing else.
const CRATES: usize = 25;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All sources of the library, by their path below `src`.
fn sources() -> BTreeMap<PathBuf, String> {
    sources_in("src")
}

fn sources_in(folder: &str) -> BTreeMap<PathBuf, String> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let folder = root().join(folder);
    let mut found = Vec::new();
    collect(&folder, &mut found);
    let read = |path: PathBuf| (path.strip_prefix(&folder).unwrap().to_owned(), fs::read_to_string(&path).unwrap());
    found.into_iter().map(read).collect()
}

// ---- (a) Layers ----

/// The lines of `source` without comments and without what is compiled for tests only. Relies on rustfmt: an item ends
/// where a line of its own indentation ends in `;` or `}`.
fn code(source: &str) -> String {
    let mut code = String::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("#[cfg(test)]") || trimmed.starts_with("#[cfg(all(test") {
            let indent = line.len() - trimmed.len();
            let last = |line: &&str| line.len() - line.trim_start().len() == indent && line.ends_with([';', '}']);
            lines.by_ref().find(last);
        } else if !trimmed.starts_with("//") {
            code.push_str(line.split_once(" // ").map_or(line, |(code, _)| code));
            code.push('\n');
        }
    }
    code
}

/// All paths that start with `crate::`, without that; `crate::{a::B, c}` is two.
fn crate_paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if !before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            expand("", &code[at + start.len()..], &mut paths);
        }
    }
    paths
}

/// Expands the use tree at the start of `text`; returns what follows it.
fn expand<'a>(prefix: &str, text: &'a str, paths: &mut Vec<String>) -> &'a str {
    let Some(mut rest) = text.trim_start().strip_prefix('{') else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '*'))).unwrap_or(text.len());
        let (path, rest) = text.split_at(end);
        if rest.starts_with('{') && path.ends_with("::") {
            return expand(&format!("{prefix}{path}"), rest, paths);
        }
        paths.push(format!("{prefix}{path}"));
        return rest;
    };
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return after;
        }
        rest = expand(prefix, rest, paths).trim_start();
        let Some(end) = rest.find([',', '}']) else { return "" };
        rest = if rest[end..].starts_with(',') { &rest[end + 1..] } else { &rest[end..] };
    }
}

/// What `src/lib.rs` offers: every public name with the modules behind it, and the private modules with none.
#[derive(Default)]
struct Root {
    names: BTreeMap<String, BTreeSet<String>>,
    modules: BTreeSet<String>,
}

impl Root {
    fn read(source: &str) -> Self {
        let (code, mut root, mut inline) = (code(source), Self::default(), None::<String>);
        let statements = code.split_inclusive([';', '}']).scan(String::new(), |open, part| {
            // A `}` that closes a group belongs to its statement, one that closes a module is one.
            open.push_str(part);
            let whole = open.matches('{').count() <= open.matches('}').count() || open.contains("pub mod");
            Some(if whole { std::mem::take(open) } else { String::new() })
        });
        for statement in statements {
            let mut text = statement.trim();
            while let Some((_, after)) = text.strip_prefix("#").and_then(|attribute| attribute.split_once("]\n")) {
                text = after.trim_start();
            }
            if text == "}" {
                inline = None;
            }
            if let Some((name, after)) = text.strip_prefix("pub mod ").and_then(|text| text.split_once(" {")) {
                inline = Some(name.to_owned());
                text = after.trim_start();
            }
            root.statement(text, inline.as_deref());
        }
        root
    }

    fn statement(&mut self, text: &str, inline: Option<&str>) {
        if let Some(tree) = text.strip_prefix("pub use ") {
            let mut paths = Vec::new();
            expand("", tree.trim_start_matches("crate::"), &mut paths);
            for path in paths {
                let (module, name) = (path.split("::").next().unwrap(), path.rsplit("::").next().unwrap());
                let public = inline.unwrap_or(name).to_owned();
                self.names.entry(public).or_default().insert(module.to_owned());
            }
        } else if let Some(name) = text.trim_start_matches("pub ").strip_prefix("mod ") {
            let name = name.trim_end_matches(';').to_owned();
            if text.starts_with("pub ") {
                self.names.entry(name.clone()).or_default().insert(name.clone());
            }
            self.modules.insert(name);
        }
    }

    /// The modules that the first part of a path leads to.
    fn resolve(&self, first: &str) -> BTreeSet<String> {
        self.names.get(first).cloned().unwrap_or_else(|| [first.to_owned()].into())
    }
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// What is wrong with `path` in `module`, if anything.
fn breach(root: &Root, module: &str, path: &str) -> Option<String> {
    let first = path.split("::").next()?;
    if first == module || module == TESTING {
        return None;
    }
    if ADAPTERS.contains(&module) && !root.names.contains_key(first) {
        return Some(format!("{module} uses crate::{path}, which other crates cannot"));
    }
    for used in root.resolve(first) {
        let Some(below) = layer(&used) else {
            return Some(format!("{module} uses crate::{path}: {used} has no place in LAYERS, or is `testing`"));
        };
        let Some(own) = layer(module) else {
            return Some(format!("{module} has no place in LAYERS"));
        };
        if below > own || (below == own && ADAPTERS.contains(&module) && used != module) {
            return Some(format!("{module} uses crate::{path}, which is not below it"));
        }
    }
    None
}

/// The top module that a file belongs to, and how many `super::` lead out of it to the crate's root.
fn place(file: &Path) -> (String, usize) {
    let parts: Vec<_> = file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let depth = if parts.last().is_some_and(|name| name == "mod") { parts.len() - 1 } else { parts.len() };
    (parts[0].clone(), depth)
}

/// The paths into the crate that a file uses.
fn used_paths(file: &Path, source: &str) -> Vec<String> {
    let (_, depth) = place(file);
    crate_paths(&code(source).replace(&"super::".repeat(depth), "crate::"))
}

fn is_test(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem == "tests") || file.iter().any(|folder| folder == "tests")
}

#[test]
fn modules_use_only_what_lies_below_them() {
    let sources = sources();
    let lib = Root::read(&sources[Path::new("lib.rs")]);
    let unplaced = lib.modules.iter().filter(|module| layer(module).is_none() && *module != TESTING);
    assert_eq!(unplaced.collect::<Vec<_>>(), Vec::<&String>::new(), "modules with no place in LAYERS");
    let mut breaches = Vec::new();
    let mut lines = 0;
    for (file, source) in &sources {
        if file == Path::new("lib.rs") || is_test(file) {
            continue;
        }
        let own = code(source);
        lines += own.lines().filter(|line| line.contains("use crate::")).count();
        let module = place(file).0;
        let found = used_paths(file, source).into_iter().filter_map(|path| breach(&lib, &module, &path));
        breaches.extend(found.map(|breach| format!("{}: {breach}", file.display())));
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    assert!(lines >= USE_LINES, "only {lines} `use crate::` lines were found");
}

#[test]
fn the_layer_guard_sees_what_it_should() {
    let lib = "mod error;\nmod net;\nmod tls;\npub mod wire;\n#[cfg(feature = \"testing\")]\npub mod testing;\n\
               pub use error::{Error, Result};\npub mod transport {\n    pub use crate::net::{Clock, Closed};\n}\n";
    let lib = Root::read(lib);
    assert_eq!(lib.names.keys().collect::<Vec<_>>(), ["Error", "Result", "testing", "transport", "wire"]);
    assert_eq!(lib.modules.iter().collect::<Vec<_>>(), ["error", "net", "testing", "tls", "wire"]);
    let breaches = |file: &str, source: &str| {
        let module = place(Path::new(file)).0;
        used_paths(Path::new(file), source).iter().filter(|path| breach(&lib, &module, path).is_some()).count()
    };
    assert_eq!(breaches("net/dial.rs", "use crate::tls::Tls;"), 1);
    assert_eq!(breaches("net/dial.rs", "fn f() -> crate::tls::Tls {}"), 1);
    assert_eq!(breaches("net/dial.rs", "use super::super::tls::Tls;\nuse super::Clock;"), 1);
    assert_eq!(breaches("net/mod.rs", "use super::tls::Tls;"), 1);
    assert_eq!(breaches("net.rs", "use crate::{\n    error::Error,\n    tls::{Tls, x::{Y, Z}},\n    wire,\n};"), 4);
    assert_eq!(breaches("net/dial.rs", "use crate::error::Error; // not crate::tls\n/// [`crate::tls`]\n"), 0);
    assert_eq!(breaches("net.rs", "#[cfg(test)]\nmod tests {\n    use crate::tls::Tls;\n}\nuse crate::wire::Wire;"), 1);
    assert_eq!(breaches("error.rs", "use crate::ports::Security;\nuse crate::net::Clock;"), 1);
    assert_eq!(breaches("error.rs", "use crate::transport::Clock;"), 1);
    assert_eq!(breaches("wire/mod.rs", "use crate::transport::Clock;\nuse crate::{Error, tls::Tls};"), 0);
    assert_eq!(breaches("smtp/mod.rs", "use crate::wire::Wire;\nuse crate::{Error, Result};\nuse crate::smtp::x;"), 0);
    assert_eq!(breaches("smtp/mod.rs", "use crate::error::Error;\nuse crate::imap::x;\nuse crate::Hidden;"), 3);
    assert_eq!(breaches("wire/mod.rs", "use crate::testing::Script;"), 1);
    assert_eq!(breaches("testing/mod.rs", "use crate::smtp::codec;\nuse crate::wire::Wire;"), 0);
}

// ---- (b) The error ----

#[test]
fn the_error_is_small_and_goes_anywhere() {
    fn goes_anywhere<T: std::error::Error + Send + Sync + 'static>() {}
    goes_anywhere::<Error>();
    assert!(size_of::<Error>() <= 32, "{} bytes", size_of::<Error>());
}

#[test]
fn no_text_repeats_its_source() {
    let error = Error::handshake("mail.example.com", std::io::Error::other("because"));
    assert_eq!(error.to_string(), "TLS handshake with mail.example.com failed");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "because");
}

// ---- (c) Files ----

#[test]
fn files_say_what_they_are_and_stay_short() {
    let sources = sources();
    assert!(sources.len() >= 20, "only {} files were found", sources.len());
    for (file, source) in sources {
        assert!(source.starts_with("//! "), "{} does not open with a //! line", file.display());
        let lines = source.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines, more than {LINES}", file.display());
    }
}

// ---- (d) Dependencies ----

/// The unique names of all crates that the library is built of on Linux.
fn tree(features: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args(["tree", "--offline", "--locked", "-e", "normal", "--prefix", "none"]);
    cargo.args(["--format", "{p}", "--target", "x86_64-unknown-linux-gnu"]).args(features);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    names.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    ignore = "needs the sources of the Linux dependencies, which cargo only fetches there"
)]
fn the_crate_depends_on_what_is_listed_and_no_more() {
    let listed = fs::read_to_string(root().join("tests/dependencies.txt")).unwrap();
    let listed: BTreeSet<_> = listed.lines().map(str::to_owned).collect();
    let found = tree(&[]);
    let (new, gone): (Vec<_>, Vec<_>) = (found.difference(&listed).collect(), listed.difference(&found).collect());
    assert!(new.is_empty() && gone.is_empty(), "tests/dependencies.txt lacks {new:?} and lists {gone:?} in vain");
    let tls_alone = tree(&["--no-default-features", "--features", "rustls"]);
    assert!(tls_alone.len() <= CRATES, "{} crates, more than {CRATES}", tls_alone.len());
}

#[test]
#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    ignore = "needs the sources of the Linux dependencies, which cargo only fetches there"
)]
fn rule_13_without_features_there_is_no_crate_for_tls_or_cryptography() {
    let is_tls = |name: &String| {
        ["tls", "ssl", "webpki", "ring", "aws-lc", "md5", "stringprep"].iter().any(|part| name.contains(part))
    };
    let (none, default) = (tree(&["--no-default-features"]), tree(&[]));
    assert_eq!(none.iter().filter(|name| is_tls(name)).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(default.iter().any(is_tls), "the default has one, or the names have changed: {default:?}");
}

// ---- (e) The public API ----

/// The crates of `FOREIGN` that a line of the listing names.
fn foreign(line: &str) -> Vec<&'static str> {
    let words: Vec<_> = line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':'))).collect();
    let named =
        |name: &&str| words.iter().any(|word| word.strip_prefix(name).is_some_and(|rest| rest.starts_with("::")));
    FOREIGN.iter().copied().filter(|name| named(name)).collect()
}

#[test]
fn rule_13_the_public_api_names_no_type_of_a_dependency() {
    let listed = fs::read_to_string(root().join("tests/public-api.txt")).unwrap();
    assert!(listed.lines().count() > 500, "the listing is not whole");
    let breaches: Vec<_> = listed.lines().filter(|line| !foreign(line).is_empty()).collect();
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    assert_eq!(foreign("pub fn mailconnect::tls::f(rustls::ClientConfig, &openssl::X)"), ["openssl", "rustls"]);
    assert_eq!(foreign("pub fn mailconnect::rustls::f(mailconnect::log::X)"), Vec::<&str>::new());
}

// ---- (f) The rules ----

/// The rules that tests in `source` name: `rule_5_and_8_..` is two.
fn rules_named(source: &str) -> BTreeSet<usize> {
    let names = source.lines().filter_map(|line| line.trim_start().strip_prefix("fn rule_"));
    names
        .flat_map(|name| name.split('_').map_while(|word| (word == "and").then_some(0).or(word.parse().ok())))
        .collect()
}

#[test]
fn every_rule_has_a_test_that_names_it() {
    let all = sources().into_iter().chain(sources_in("tests"));
    let named: BTreeSet<_> = all.flat_map(|(_, source)| rules_named(&source)).collect();
    let missing: Vec<_> = (1..=RULES).filter(|rule| !named.contains(rule)).collect();
    assert!(missing.is_empty(), "no test names the rules {missing:?}");
    assert_eq!(rules_named("    fn rule_7_and_12_cut() {\nfn rule_3_x_5() {\n"), [0, 3, 7, 12].into());
}
