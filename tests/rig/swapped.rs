//! The suite can fail: an endpoint that is held to what another one promises does not pass.

use std::collections::BTreeMap;

use crate::check;
use crate::model::{Endpoint, Mode, Proto, Rig, Verify};
use crate::report::{Notes, one};

/// A field that endpoints differ in.
struct Field {
    name: &'static str,
    /// Its value as a text, where it can be swapped.
    value: fn(&Endpoint) -> Option<String>,
    copy: fn(&Endpoint, &mut Endpoint),
    /// Whether each value is swapped for every other one, or only for the next.
    with_every_other: bool,
}

const FIELDS: &[Field] = &[
    Field {
        name: "verify",
        // Two words for a name that does not fit are one thing for every client.
        value: |endpoint| match endpoint.verify? {
            Verify::NoName => Some(Verify::WrongHost.to_string()),
            verify => Some(verify.to_string()),
        },
        copy: |from, to| to.verify = from.verify,
        with_every_other: true,
    },
    Field {
        name: "tls",
        value: |endpoint| is_good(endpoint).then(|| format!("{:?}", endpoint.tls.map(|tls| tls.highest()))),
        copy: |from, to| to.tls = from.tls,
        with_every_other: true,
    },
    Field {
        name: "mode",
        value: |endpoint| is_good(endpoint).then(|| endpoint.mode.to_string()),
        copy: |from, to| to.mode = from.mode,
        with_every_other: true,
    },
    Field {
        name: "client_cert",
        value: |endpoint| (endpoint.verify == Some(Verify::Fine)).then(|| endpoint.client_cert.to_string()),
        copy: |from, to| to.client_cert = from.client_cert,
        with_every_other: true,
    },
    Field {
        name: "auth_plain",
        value: |endpoint| {
            let upgrades = is_good(endpoint) && endpoint.mode == Mode::StartTls;
            (upgrades && !endpoint.users.is_empty()).then(|| endpoint.auth_plain.is_empty().to_string())
        },
        copy: |from, to| to.auth_plain.clone_from(&from.auth_plain),
        with_every_other: true,
    },
    Field {
        name: "fails",
        value: |endpoint| endpoint.fails.map(|fails| format!("{fails:?}")),
        copy: |from, to| to.fails = from.fails,
        with_every_other: false,
    },
];

fn is_good(endpoint: &Endpoint) -> bool {
    endpoint.is_plainly_usable() && endpoint.verify.is_some()
}

#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn swapped_expectations_are_not_met() {
    let rig = Rig::from_environment();
    for field in FIELDS {
        let examples = examples(&rig, field);
        assert!(examples.len() > 1, "no two endpoints differ in `{}`", field.name);
        let last = if field.with_every_other { examples.len() - 1 } else { 1 };
        for distance in 1..=last {
            let others = examples.iter().cycle().skip(distance);
            examples.iter().zip(others).for_each(|(endpoint, other)| is_refused(&rig, field, endpoint, other));
        }
    }
}

/// An endpoint for each value.
fn examples<'a>(rig: &'a Rig, field: &Field) -> Vec<&'a Endpoint> {
    let mut found = BTreeMap::new();
    for endpoint in rig.endpoints.iter().filter(|endpoint| endpoint.proto == Proto::Smtp) {
        if let Some(value) = (field.value)(endpoint) {
            found.entry(value).or_insert(endpoint);
        }
    }
    found.into_values().collect()
}

fn is_refused(rig: &Rig, field: &Field, endpoint: &Endpoint, other: &Endpoint) {
    let mut wrong = endpoint.clone();
    (field.copy)(other, &mut wrong);
    let what = format!("{} with `{}` of {}", endpoint.name, field.name, other.name);
    match one(rig, &wrong, &mut Notes::default(), &check) {
        Ok(()) => panic!("{what} passed"),
        Err(why) => println!("red    {what}: {why}"),
    }
}
