//! Root certificates: the caller's, and on rustls the system's with its environment variables, which need a child process.

use super::rig::*;
use crate::error::Error;

#[test]
fn roots_come_from_pem_and_der() {
    let (root, other) = (Authority::root("Root"), Authority::root("Other"));
    let server = Server::new(&root.issue(&params(HOST)), VERSIONS[1]);
    let mut settings = trusting(&[]);
    settings.add_roots_pem(format!("{}\n# and\n{}", other.pem, root.pem).as_bytes()).unwrap();
    for settings in [settings, trusting(&[&root.der])] {
        for backend in BACKENDS {
            let (plain, _session) = server.echo();
            ping(&mut *connect(&on(*backend, settings.clone()), plain).unwrap());
        }
    }
}

#[test]
fn bad_roots_are_refused_with_their_line_and_none_is_added() {
    let root = Authority::root("Root");
    let bad = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let line = root.pem.lines().count() + 1;
    let mut settings = trusting(&[]);
    let pem = format!("{}{bad}", root.pem);
    let error = settings.add_roots_pem(pem.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, format!("invalid root certificates: line {line}: not a certificate"));
    assert!(settings.add_roots_pem(b"nothing").unwrap_err().to_string().contains("no PEM part"));
    assert!(settings.add_root_der(b"nothing").unwrap_err().to_string().contains("not a certificate"));
    let error = connect(&settings, pipe().0).unwrap_err();
    assert!(matches!(error, Error::NoRootCertificates { .. }), "{error:?}");
}

#[test]
fn a_bad_file_of_roots_is_named_with_its_line() {
    let path = std::env::temp_dir().join(format!("mailconnect-bad-roots-{}.pem", std::process::id()));
    let because = |pem: Option<&str>| {
        if let Some(pem) = pem {
            std::fs::write(&path, pem).unwrap();
        }
        let error = trusting(&[]).add_roots_file(&path).unwrap_err();
        let _ = std::fs::remove_file(&path);
        let Error::InvalidArgument(error) = error else { panic!("{error:?}") };
        let start = format!("{}: ", path.display());
        error.reason.strip_prefix(&*start).unwrap_or_else(|| panic!("{error}")).to_owned()
    };
    assert!(!because(None).is_empty());
    assert_eq!(because(Some("")), "no PEM part `CERTIFICATE` in it");
    let begin = "-----BEGIN CERTIFICATE-----\n";
    assert_eq!(because(Some(&format!("\n\n{begin}"))), "line 3: a PEM part without its END");
    assert!(because(Some(&format!("#\n{begin}*\n-----END CERTIFICATE-----"))).starts_with("line 2: not base64"));
    assert_eq!(because(Some(&format!("{begin}MAA=\n-----END CERTIFICATE-----"))), "line 1: not a certificate");
    std::fs::write(&path, Authority::root("Root").pem).unwrap();
    let added = trusting(&[]).add_roots_file(&path);
    std::fs::remove_file(&path).unwrap();
    added.unwrap();
}

mod system {
    use std::fs;
    use std::path::PathBuf;
    use std::process::{Command, Output};

    use super::super::rig::*;
    use crate::tls::{TlsBackend, TlsSettings};

    /// Says to this test, run in a child process, what to put where the variables point.
    const CHILD: &str = "MAILCONNECT_TEST_CHILD";

    /// Runs [`child`] in a process of its own, where this variable points into a fresh directory.
    fn run(backend: TlsBackend, what: &str, variable: &str, path: &str) -> String {
        let name = format!("mailconnect-roots-{}-{what}-{backend:?}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let Output { status, stdout, stderr } = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::tests::roots::system::child", "--nocapture"])
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR")
            .env(variable, directory.join(path))
            .env(CHILD, format!("{what} on {backend:?}"))
            .output()
            .unwrap();
        fs::remove_dir_all(&directory).unwrap();
        let output = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{output}");
        output
    }

    #[cfg(feature = "rustls")]
    const RUSTLS: TlsBackend = TlsBackend::Rustls;

    #[cfg(feature = "rustls")]
    #[test]
    fn ssl_cert_file_and_ssl_cert_dir_are_honoured() {
        assert!(run(RUSTLS, "file", "SSL_CERT_FILE", "roots.pem").contains("result: connected"));
        assert!(run(RUSTLS, "directory", "SSL_CERT_DIR", "").contains("result: connected"));
    }

    /// OpenSSL has its own ideas of what these variables mean: whether they leave any root is not to be known.
    #[cfg(all(feature = "native-tls", target_os = "linux"))]
    #[test]
    fn openssl_adds_what_the_variables_name() {
        let native = TlsBackend::NativeTls;
        assert!(run(native, "good file", "SSL_CERT_FILE", "roots.pem").contains("result: connected"));
        let output = run(native, "nothing", "SSL_CERT_FILE", "absent.pem");
        assert!(output.contains("result: the certificate of mail.test was refused"), "{output}");
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn no_system_roots_is_an_error_that_says_why() {
        let output = run(RUSTLS, "nothing", "SSL_CERT_FILE", "absent.pem");
        assert!(output.contains("result: no root certificates") && output.contains("absent.pem"), "{output}");
        assert!(output.contains("ca-certificates") && output.contains("SSL_CERT_FILE"), "{output}");
        // rustls-native-certs does not mind an empty file.
        let output = run(RUSTLS, "empty", "SSL_CERT_FILE", "empty.pem");
        assert!(output.contains("result: no root certificates") && output.contains("empty.pem"), "{output}");
    }

    /// Does nothing but in the child process.
    #[test]
    fn child() {
        let Ok(what) = std::env::var(CHILD) else { return };
        let root = Authority::root("Root");
        let bad = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let (what, backend) = what.split_once(" on ").unwrap();
        let backend = BACKENDS.iter().find(|known| format!("{known:?}") == backend).unwrap();
        match what {
            "file" => fs::write(std::env::var("SSL_CERT_FILE").unwrap(), format!("{bad}{}", root.pem)).unwrap(),
            "good file" => fs::write(std::env::var("SSL_CERT_FILE").unwrap(), &root.pem).unwrap(),
            "empty" => fs::write(std::env::var("SSL_CERT_FILE").unwrap(), "# nothing\n").unwrap(),
            "directory" => {
                // Named as c_rehash does: earlier versions of rustls-native-certs look at no others.
                let directory = PathBuf::from(std::env::var("SSL_CERT_DIR").unwrap());
                fs::write(directory.join("00000000.0"), &root.pem).unwrap();
                fs::write(directory.join("00000000.1"), bad).unwrap();
                fs::write(directory.join("00000000.2"), "-----BEGIN CERTIFICATE-----\n*").unwrap();
            }
            _ => {}
        }
        let (plain, _session) = Server::new(&root.issue(&params(HOST)), VERSIONS[1]).echo();
        match connect(&on(*backend, TlsSettings::new()), plain) {
            Ok(mut tls) => {
                ping(&mut *tls);
                println!("result: connected");
            }
            Err(error) => println!("result: {error}"),
        }
    }
}
