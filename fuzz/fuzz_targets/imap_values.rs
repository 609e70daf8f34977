//! Single values: no panic, and what is kept or written is what was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailconnect::imap::{BodyStructure, DateTime, Envelope, ResponseCode, SequenceSet};

fuzz_target!(|bytes: &[u8]| {
    if let Some(envelope) = Envelope::parse(bytes) {
        let shown = format!("{envelope:?}");
        assert_eq!(shown, format!("{:?}", envelope.into_owned()));
    }
    if let Some(structure) = BodyStructure::parse(bytes) {
        let count = structure.parts().count();
        let below = structure.parts().map(|part| part.children().count()).sum::<usize>();
        assert_eq!(below + 1, count);
        assert!(structure.parts().all(|part| part.parent().is_some() || part.section() == structure.root().section()));
        let shown = format!("{structure:?}");
        assert_eq!(shown, format!("{:?}", structure.into_owned()));
    }
    let code = ResponseCode::parse(bytes);
    if let ResponseCode::CopyUid(copied) = &code {
        for (low, high) in copied.source.ranges() {
            let found = [low, high].map(|uid| uid.and_then(|uid| copied.destination_of(uid)));
            assert!(copied.source.len() != copied.destination.len() || found.iter().all(Option::is_some));
        }
    }
    let _ = format!("{code:?} {}", code.name());
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(set) = text.parse::<SequenceSet>() {
        assert_eq!(set.to_string().parse::<SequenceSet>().expect("a set"), set);
    }
    if let Ok(date) = text.parse::<DateTime>() {
        assert_eq!(date.to_string().parse::<DateTime>().expect("a date"), date);
    }
});
