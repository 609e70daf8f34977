//! What `rig.json` says of each endpoint: the expectations of the suite. A missing field or an unknown word is an error,
//! so that nothing can be skipped by mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use mailconnect::tls::TlsVersion;
use serde_json::Value;

/// An enum out of the words of one field.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name { $($variant),* }

        impl $name {
            fn parse(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("`{word}` is no {} that this suite knows", stringify!($name))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),* })
            }
        }
    };
}

words!(Proto { Smtp = "smtp", Lmtp = "lmtp", Imap = "imap", Pop3 = "pop3" });
words!(Mode { Implicit = "implicit", StartTls = "starttls", Plain = "plain" });
words! {
    /// What a client that trusts the rig's CA must find.
    Verify {
        Fine = "ok",
        UnknownIssuer = "unknown-issuer",
        Expired = "expired",
        NotYetValid = "not-yet-valid",
        WrongHost = "wrong-host",
        NoName = "no-san",
        HandshakeFails = "handshake-fails",
    }
}
words!(Tls { Both = "1.2-1.3", Only12 = "1.2", Only13 = "1.3" });
words! {
    /// The step of an SMTP session.
    Step {
        Connect = "connect",
        Ehlo = "ehlo",
        Mail = "mail",
        Rcpt = "rcpt",
        Data = "data",
        Dot = "dot",
        Quit = "quit",
    }
}
words!(How { Permanent = "5xx", Transient = "4xx", Closing = "421", Drop = "drop", Slow = "slow" });

/// Where and how an endpoint goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fails {
    pub(crate) at: Step,
    pub(crate) how: How,
}

/// One port of one server.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) proto: Proto,
    pub(crate) mode: Mode,
    /// The first is the one to use.
    pub(crate) hosts: Vec<String>,
    pub(crate) port: u16,
    /// Mechanisms that work, under TLS where there is TLS.
    pub(crate) auth: Vec<String>,
    /// Mechanisms that work before STARTTLS.
    pub(crate) auth_plain: Vec<String>,
    /// Whether LOGIN or USER may be used before STARTTLS.
    pub(crate) login_plain: bool,
    pub(crate) cert: Option<String>,
    pub(crate) tls: Option<Tls>,
    pub(crate) verify: Option<Verify>,
    pub(crate) client_cert: bool,
    pub(crate) fails: Option<Fails>,
    pub(crate) store: Option<String>,
    pub(crate) domains: Vec<String>,
    pub(crate) users: Vec<String>,
    pub(crate) login_suffix: String,
}

/// All endpoints, and what clients of them need.
#[derive(Debug)]
pub(crate) struct Rig {
    /// The certificate to trust, in PEM.
    pub(crate) ca: Vec<u8>,
    /// What the servers with `client_cert` want to see: certificate and key, in PEM.
    pub(crate) client: [Vec<u8>; 2],
    /// One that nobody trusts: none of the servers', and it vouches for none.
    pub(crate) stranger: [Vec<u8>; 2],
    pub(crate) passwords: BTreeMap<String, String>,
    /// An OAuth token of alice's, and one that has expired.
    #[cfg_attr(not(feature = "scram"), allow(dead_code))]
    pub(crate) token: String,
    #[cfg_attr(not(feature = "scram"), allow(dead_code))]
    pub(crate) expired_token: String,
    /// The user in whose mailbox the seeds are.
    pub(crate) seeded_user: String,
    pub(crate) seeds: Vec<Vec<u8>>,
    pub(crate) endpoints: Vec<Endpoint>,
}

impl Tls {
    /// The version that a client of both must arrive at.
    pub(crate) fn highest(self) -> TlsVersion {
        if self == Self::Only12 { TlsVersion::Tls12 } else { TlsVersion::Tls13 }
    }

    pub(crate) fn speaks(self, version: TlsVersion) -> bool {
        self == Self::Both || self.highest() == version
    }
}

impl Endpoint {
    pub(crate) fn address(&self) -> (&str, u16) {
        (&self.hosts[0], self.port)
    }

    /// True if a client with the rig's CA and no certificate of its own can use all of it.
    pub(crate) fn is_plainly_usable(&self) -> bool {
        matches!(self.verify, None | Some(Verify::Fine)) && !self.client_cert && self.fails.is_none()
    }
}

impl Rig {
    /// Reads the file that the environment names.
    pub(crate) fn from_environment() -> Self {
        let path = std::env::var_os("MAILCONNECT_RIG").expect("MAILCONNECT_RIG must name the rig's rig.json");
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.to_string_lossy()));
        let json = serde_json::from_slice(&text).expect("rig.json is not JSON");
        Self::parse(&json).unwrap_or_else(|error| panic!("rig.json: {error}"))
    }

    pub(crate) fn parse(json: &Value) -> Result<Self, String> {
        let read = |path: &str| std::fs::read(Path::new(path)).map_err(|error| format!("{path}: {error}"));
        let passwords = json["users"].as_object().ok_or("no users")?;
        let endpoints = json["endpoints"].as_array().ok_or("no endpoints")?;
        let password = |(user, word): (&String, &Value)| Ok((user.clone(), text_of(word, "users")?));
        Ok(Self {
            ca: read(&text(json, "ca")?)?,
            client: [read(&text(json, "client_cert")?)?, read(&text(json, "client_key")?)?],
            stranger: [read(&text(json, "bad_client_cert")?)?, read(&text(json, "bad_client_key")?)?],
            passwords: passwords.iter().map(password).collect::<Result<_, String>>()?,
            token: text(&json["oauth_tokens"], "alice")?,
            expired_token: text(&json["oauth_tokens"], "expired")?,
            seeded_user: text(json, "seeded_user")?,
            seeds: texts(json, "seeds")?.iter().map(|path| read(path)).collect::<Result<_, _>>()?,
            endpoints: endpoints.iter().map(Endpoint::parse).collect::<Result<_, _>>()?,
        })
    }

    /// The name to log in with, and the password.
    pub(crate) fn credentials(&self, endpoint: &Endpoint, user: &str) -> (String, &str) {
        (format!("{user}{}", endpoint.login_suffix), &self.passwords[user])
    }

    /// Where mail of this store can be read: with TLS from the first byte if there is a choice.
    pub(crate) fn reader(&self, store: &str, proto: Proto) -> Option<&Endpoint> {
        let fits = |endpoint: &&Endpoint| {
            endpoint.proto == proto && endpoint.store.as_deref() == Some(store) && endpoint.is_plainly_usable()
        };
        self.endpoints.iter().filter(fits).min_by_key(|endpoint| endpoint.mode)
    }

    pub(crate) fn endpoint(&self, name: &str) -> &Endpoint {
        let found = self.endpoints.iter().find(|endpoint| endpoint.name == name);
        found.unwrap_or_else(|| panic!("the rig has no {name}"))
    }
}

impl Endpoint {
    fn parse(json: &Value) -> Result<Self, String> {
        let name = text(json, "name")?;
        Self::parse_fields(&name, json).map_err(|error| format!("{name}: {error}"))
    }

    fn parse_fields(name: &str, json: &Value) -> Result<Self, String> {
        let endpoint = Self {
            name: name.to_owned(),
            proto: Proto::parse(&text(json, "proto")?)?,
            mode: Mode::parse(&text(json, "mode")?)?,
            hosts: texts(json, "hosts")?,
            port: json["port"].as_u64().and_then(|port| port.try_into().ok()).ok_or("no port")?,
            auth: texts(json, "auth")?,
            auth_plain: texts(json, "auth_plain")?,
            login_plain: json["login_plain"].as_bool().unwrap_or(false),
            cert: optional(json, "cert")?,
            tls: optional(json, "tls")?.as_deref().map(Tls::parse).transpose()?,
            verify: optional(json, "verify")?.as_deref().map(Verify::parse).transpose()?,
            client_cert: json["client_cert"].as_bool().ok_or("no client_cert")?,
            fails: if json["fails"].is_null() { None } else { Some(Fails::parse(&json["fails"])?) },
            store: optional(json, "store")?,
            domains: texts(json, "domains")?,
            users: texts(json, "users")?,
            login_suffix: text(json, "login_suffix")?,
        };
        endpoint.is_consistent().map(|()| endpoint)
    }

    fn is_consistent(&self) -> Result<(), String> {
        let secured = self.mode != Mode::Plain;
        if self.hosts.is_empty() {
            return Err("no hosts".into());
        }
        if self.verify.is_some() != secured || self.tls.is_some() != secured || self.cert.is_some() != secured {
            return Err("`verify`, `tls` and `cert` do not go with `mode`".into());
        }
        Ok(())
    }
}

impl Fails {
    fn parse(json: &Value) -> Result<Self, String> {
        Ok(Self { at: Step::parse(&text(json, "at")?)?, how: How::parse(&text(json, "how")?)? })
    }
}

fn text_of(json: &Value, field: &str) -> Result<String, String> {
    json.as_str().map(str::to_owned).ok_or_else(|| format!("`{field}` is no text"))
}

fn text(json: &Value, field: &str) -> Result<String, String> {
    text_of(&json[field], field)
}

fn optional(json: &Value, field: &str) -> Result<Option<String>, String> {
    if json[field].is_null() { Ok(None) } else { text(json, field).map(Some) }
}

fn texts(json: &Value, field: &str) -> Result<Vec<String>, String> {
    let list = json[field].as_array().ok_or_else(|| format!("`{field}` is no list"))?;
    list.iter().map(|item| text_of(item, field)).collect()
}
