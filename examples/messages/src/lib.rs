//! What both examples need beside building a message and sending it.

use mailconnect::smtp::SendReport;
use mailconnect::testing::Server;
use mailconnect::{Connector, SmtpClient, ports};

/// Connects and logs in to `host`, on port 587 if none is given. With no host it starts a throw-away server and trusts its
/// certificate; leave that out of your own program.
///
/// # Errors
/// Those of connecting and logging in.
pub fn connect(
    host: Option<&str>,
    port: Option<u16>,
    user: &str,
    password: &str,
) -> Result<(SmtpClient, Option<Server>), Box<dyn std::error::Error>> {
    let mut connector = Connector::new();
    let throw_away = if host.is_none() { Some(Server::smtp().start()?) } else { None };
    let mut endpoint = (host.unwrap_or("localhost").to_owned(), port.unwrap_or(ports::SMTP_SUBMISSION));
    if let Some(server) = &throw_away {
        endpoint = server.endpoint();
        connector = connector.root_certificates_pem(server.certificate_pem().as_bytes())?;
    }
    let mut smtp: SmtpClient = connector.connect_start_tls(endpoint)?;
    smtp.login(user, password)?;
    Ok((smtp, throw_away))
}

/// Says who got the message and who did not, and shows what the throw-away server has got.
pub fn tell(report: &SendReport, throw_away: Option<&Server>) {
    println!("{}", report.reply);
    for (recipient, reply) in &report.accepted {
        println!("accepted for {recipient}: {reply}");
    }
    for (recipient, reply) in &report.refused {
        println!("refused for {recipient}: {reply}");
    }
    for message in throw_away.iter().flat_map(|server| server.messages()) {
        println!("\n{}", String::from_utf8_lossy(&message.data));
    }
}
