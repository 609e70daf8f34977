//! What the examples take from the command line or the environment. Nothing here concerns mail.

use std::env;

/// `HOST[:PORT]`, `--port`, `--user`, `--password`, `--from`, `--to`, `--pin`, `--accept-self-signed`; each option also as an
/// environment variable: `MAIL_HOST`, `MAIL_PORT`, `MAIL_USER`, `MAIL_PASSWORD`, `MAIL_FROM`, `MAIL_TO`,
/// `MAIL_PIN`.
#[allow(dead_code, reason = "each example uses some of them")]
pub(crate) struct Options {
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) accept_self_signed: bool,
    pub(crate) pin: Option<String>,
}

impl Options {
    pub(crate) fn read() -> Result<Self, String> {
        let variable = |name: &str| env::var(name).ok();
        let number = |text: String| text.parse().map_err(|_| format!("{text} is no port"));
        let mut options = Self {
            host: variable("MAIL_HOST"),
            port: variable("MAIL_PORT").map(number).transpose()?,
            user: variable("MAIL_USER").unwrap_or("user".into()),
            password: variable("MAIL_PASSWORD").unwrap_or("password".into()),
            from: variable("MAIL_FROM").unwrap_or("user@example.com".into()),
            to: variable("MAIL_TO").into_iter().collect(),
            accept_self_signed: false,
            pin: variable("MAIL_PIN"),
        };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--port" => options.port = Some(number(value()?)?),
                "--user" => options.user = value()?,
                "--password" => options.password = value()?,
                "--from" => options.from = value()?,
                "--to" => options.to.push(value()?),
                "--pin" => options.pin = Some(value()?),
                "--accept-self-signed" => options.accept_self_signed = true,
                host if !host.starts_with("--") => options.host = Some(host.to_owned()),
                other => return Err(format!("unknown option {other}")),
            }
        }
        if options.to.is_empty() {
            options.to.push("friend@example.com".into());
        }
        Ok(options)
    }
}
